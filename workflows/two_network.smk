# Two networks that tick at two rates, joined by a synthetic gradient.
TWO_NETWORK = Experiment("two_network", figures=["fig_two_network", "fig_two_network_periods"])


rule two_network:
    """Two networks at two rates: train every cell, draw the figures."""
    input:
        TWO_NETWORK.drawings(),
