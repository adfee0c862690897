# Copy and Repeat Copy with the core's state carried over: an ablation of this suite's choice.
CARRIED_STATE = Experiment("carried_state", figures=["fig_carried_state"])


rule carried_state:
    """Copy and Repeat Copy with the core's state carried over, an ablation: train every cell, draw the figure."""
    input:
        CARRIED_STATE.drawings(),
