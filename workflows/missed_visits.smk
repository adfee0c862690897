# What Adam does with a layer that sparse updates do not visit: an ablation of a choice of this suite.
MISSED_VISITS = Experiment("missed_visits", figures=["fig_missed_visits"])


rule missed_visits:
    """What Adam does with a layer that is not visited, an ablation: train every cell, draw the figure."""
    input:
        MISSED_VISITS.drawings(),
