# One DNI at a chosen depth, and how good its synthetic gradients are.
SINGLE_DNI = Experiment("single_dni", tables=["text_single_dni"], figures=["fig_gradient_quality"])


rule single_dni:
    """One DNI at a chosen depth: train every cell, draw its table and figure."""
    input:
        SINGLE_DNI.drawings(),
