# The scale of the synthetic-gradient model's target: an ablation of a choice of this suite.
TARGET_SCALE = Experiment("target_scale", figures=["fig_target_scale"])


rule target_scale:
    """The scale of the model's target, an ablation: train every cell, draw the figure."""
    input:
        TARGET_SCALE.drawings(),
