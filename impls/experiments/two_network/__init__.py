"""Two recurrent nets that tick at two rates, the faster one taught by the slower one's synthetic gradient.

Published results, written by `snakemake readme`: 6 runs. Data: MNIST (original). PyTorch 2.13.0+cpu, JAX 0.10.2; cpu
AMD EPYC; fp32. PyTorch and JAX: 4 not comparable each. MNIST, DNI, T = 4, network A: share of joint backprop's steps
until its final error: paper at most 0.5; PyTorch 0.39 ± 0.12 (2) not comparable; JAX 0.39 ± 0.12 (2) not comparable.
"""
