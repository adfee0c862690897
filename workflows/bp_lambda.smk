# BP(lambda), which the paper defines without results: an addition of this suite.
BP_LAMBDA = Experiment("bp_lambda", figures=["fig_bp_lambda"])


rule bp_lambda:
    """BP(lambda), an addition: train every cell, draw its figure."""
    input:
        BP_LAMBDA.drawings(),
