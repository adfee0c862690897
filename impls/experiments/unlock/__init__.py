"""Sparse updates and complete unlock: layers and models that are updated at random times.

Published results, written by `snakemake readme`: 1 run. Data: MNIST (original). JAX 0.10.2; cpu AMD EPYC; fp32.
PyTorch: 79 missing. JAX: 4 reproduced, 1 consistent, 4 inconclusive, 12 not comparable, 58 missing. MNIST, fully
connected, 4 layers, cDNI, p_update 0.06-0.10, 5,000 iterations: paper 5.9 percent; PyTorch missing; JAX 6.51 ± 0.28
(20) consistent, resolves 0.76.
"""
