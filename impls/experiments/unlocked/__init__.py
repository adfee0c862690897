"""Blocks of layers with a worker each, which wait for nothing: an addition of this suite.

Published results, written by `snakemake readme`: none yet.
"""
