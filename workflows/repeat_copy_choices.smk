# Repeat Copy with one choice about the task changed after the other: an ablation of choices of this suite.
REPEAT_COPY_CHOICES = Experiment("repeat_copy_choices", figures=["fig_repeat_copy_choices"])


rule repeat_copy_choices:
    """Repeat Copy, one choice about the task after the other, an ablation: train every cell, draw the figure."""
    input:
        REPEAT_COPY_CHOICES.drawings(),
