# BP(lambda): the paper defines it without results. The sweep is an addition of this suite.
BP_LAMBDA = Experiment("bp_lambda", figures=["fig_bp_lambda"])


rule bp_lambda:
    """BP(lambda), an addition: train every cell, draw the figure."""
    input:
        BP_LAMBDA.drawings(),
