# The depth of the synthetic-gradient model: linear, or one or two hidden layers.
LINEAR_DNI = Experiment("linear_dni", figures=["fig_linear_dni", "fig_depth_choice"])


rule linear_dni:
    """The depth of the synthetic-gradient model: train every cell, draw the figures."""
    input:
        LINEAR_DNI.drawings(),
