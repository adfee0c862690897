# Stale gradients instead of synthetic ones.
STALE_GRADIENTS = Experiment("stale_gradients", tables=["text_stale_gradients"])


rule stale_gradients:
    """Stale gradients instead of synthetic ones: train every cell, draw the table."""
    input:
        STALE_GRADIENTS.drawings(),
