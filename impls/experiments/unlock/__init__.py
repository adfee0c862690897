"""Sparse updates and complete unlock: layers and models that are updated at random times.

Published results, written by `snakemake readme`: 1 run. Data: MNIST (original). JAX 0.10.2; cpu AMD EPYC; fp32.
Verdicts: 1 reproduced, 5 consistent, 1 inconclusive, 10 not comparable, 141 missing. MNIST, fully connected, 4 layers,
cDNI, p_update 0.30-0.40, 5,000 iterations: paper 3.2 percent; PyTorch missing; JAX 5.12 ± 1.13 (3) consistent.
"""
