"""How deep the synthetic-gradient model should be: linear M, and the choice on validation against on test error.

Published results, written by `snakemake readme`: none yet.
"""
