"""Sparse updates with both answers to what Adam does with a layer that is not visited: an ablation.

Published results, written by `snakemake readme`: 2 runs. Data: MNIST (original). JAX 0.10.2; cpu AMD EPYC; fp32. The
paper has no number for this experiment.
"""
