# The copy task in minutes, one choice changed at a time.
SMALL_COPY = Experiment("small_copy", tables=["table_small_copy"], figures=["fig_small_copy"])


rule small_copy:
    """The copy task in minutes, one choice changed at a time: train every cell, draw the table and figure."""
    input:
        SMALL_COPY.drawings(),
