# One DNI at a chosen depth, and the quality of its synthetic gradients.
SINGLE_DNI = Experiment("single_dni", tables=["text_single_dni"], figures=["fig_gradient_quality"])


rule single_dni:
    """One DNI at a chosen depth: train every cell, draw the table and figure."""
    input:
        SINGLE_DNI.drawings(),
