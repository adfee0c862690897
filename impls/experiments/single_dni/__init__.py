"""One DNI at a chosen depth, and the quality of its synthetic gradients.

Published results, written by `snakemake readme`: 4 runs. Data: MNIST (original). PyTorch 2.13.0+cpu, JAX 0.10.2; cpu
AMD EPYC; fp32. PyTorch and JAX: 3 not comparable, 13 missing each. MNIST, fully connected, 6 layers, No backprop, cut
after layer 1: paper 2.9 percent; PyTorch 3.40 (1) not comparable; JAX 3.41 (1) not comparable.
"""
