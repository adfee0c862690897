# Stale gradients in place of synthetic ones.
STALE_GRADIENTS = Experiment("stale_gradients", tables=["text_stale_gradients"])


rule stale_gradients:
    """Stale gradients in place of synthetic ones: train every cell, draw its table."""
    input:
        STALE_GRADIENTS.drawings(),
