"""The scale of the synthetic-gradient model's target: an ablation.

Published results, written by `snakemake readme`: 3 runs. Data: MNIST (original). JAX 0.10.2; cpu AMD EPYC; fp32. The
paper has no number for this experiment.
"""
