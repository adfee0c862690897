# The distribution of the weights before training: an ablation of a choice of this suite.
INITIAL_WEIGHTS = Experiment("initial_weights", figures=["fig_initial_weights"])


rule initial_weights:
    """The distribution of the weights before training, an ablation: train every cell, draw the figure."""
    input:
        INITIAL_WEIGHTS.drawings(),
