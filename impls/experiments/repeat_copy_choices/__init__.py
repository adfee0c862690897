"""Repeat Copy with one choice about the task changed after the other: an ablation.

Published results, written by `snakemake readme`: 3 runs. Data: Repeat Copy (generated from the seed, as in the paper).
JAX 0.10.2; cpu AMD EPYC; fp32. The paper has no number for this experiment.
"""
