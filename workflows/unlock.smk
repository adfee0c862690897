# Sparse updates and complete unlock.
UNLOCK = Experiment("unlock", figures=["fig_sparse_updates", "fig_complete_unlock"])


rule unlock:
    """Sparse updates and complete unlock: train every cell, draw the figures."""
    input:
        UNLOCK.drawings(),
