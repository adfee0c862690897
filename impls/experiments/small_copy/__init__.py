"""The copy task at a size that fits in minutes, with one choice changed at a time.

Published results, written by `snakemake readme`: 25 runs. Data: Copy (generated from the seed, as in the paper).
PyTorch 2.13.0+cpu, JAX 0.10.2; cpu AMD EPYC; fp32. The paper has no number for this experiment.
"""
