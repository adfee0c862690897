# The scale of the synthetic-gradient model's target: an ablation of this suite's choice.
TARGET_SCALE = Experiment("target_scale", figures=["fig_target_scale"])


rule target_scale:
    """The scale of the model's target, an ablation: train every cell, draw its figure."""
    input:
        TARGET_SCALE.drawings(),
