"""Repeat Copy with one choice about the task changed after the other: an ablation.

Published results, written by `snakemake readme`: none yet.
"""
