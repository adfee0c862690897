# Recurrent nets with synthetic gradients: Copy, Repeat Copy, Penn Treebank.
RECURRENT = Experiment(
    "recurrent",
    tables=["table_rnn", "text_ptb"],
    figures=["fig_copy_progress", "fig_ptb_curves", "fig_boundary_quality"],
)


rule recurrent:
    """Recurrent nets on Copy, Repeat Copy and text: train every cell, draw the tables and figures."""
    input:
        RECURRENT.drawings(),
