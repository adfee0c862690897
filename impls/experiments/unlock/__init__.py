"""Sparse updates and complete unlock: layers and models that are updated at random times.

Published results, written by `snakemake readme`: 1 run. Data: MNIST (original). JAX 0.10.2; cpu AMD EPYC; fp32.
PyTorch: 79 missing. JAX: 2 reproduced, 7 differs, 12 not comparable, 58 missing. MNIST, fully connected, 4 layers,
cDNI, p_update 0.06-0.10, 5,000 iterations: paper 5.9 percent; PyTorch missing; JAX 13.22 ± 0.68 (20) differs (worse),
post hoc, resolves 1.8.
"""
