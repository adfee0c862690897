"""Blocks of layers with a worker each, which wait for nothing: an addition of this suite.

Published results, written by `snakemake readme`: 34 runs. Data: MNIST (original). PyTorch 2.13.0+cpu, JAX 0.10.2; cpu
AMD EPYC; fp32. The paper has no number for this experiment.
"""
