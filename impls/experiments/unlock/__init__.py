"""Sparse updates and complete unlock: layers and models that are updated at random times.

Published results, written by `snakemake readme`: 1 run. Data: MNIST (original). JAX 0.10.2; cpu AMD EPYC; fp32.
PyTorch: 79 missing. JAX: 4 reproduced, 4 inconclusive, 12 not comparable, 59 missing. MNIST, fully connected, 4 layers,
cDNI, p_update 0.10-0.15, 5,000 iterations: paper 5.3 percent; PyTorch missing; JAX 5.42 ± 0.19 (20) reproduced,
resolves 0.61.
"""
