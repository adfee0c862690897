# Feed-forward nets with a DNI between every two layers; text_deep is the net of 21 layers.
FEEDFORWARD = Experiment(
    "feedforward", tables=["table_feedforward", "text_deep"], figures=["fig_feedforward_curves", "fig_underfitting"]
)


rule feedforward:
    """Feed-forward nets with a DNI between every two layers: train every cell, draw the tables and figures."""
    input:
        FEEDFORWARD.drawings(),
