"""Feed-forward nets with each of three distributions of the weights before training: an ablation.

Published results, written by `snakemake readme`: 9 runs. Data: MNIST (original). JAX 0.10.2; cpu AMD EPYC; fp32. The
paper has no number for this experiment.
"""
