"""Sparse updates and complete unlock: layers and models that are updated at random times.

Published results, written by `snakemake readme`: 1 run. Data: MNIST (original). JAX 0.10.2; cpu AMD EPYC; fp32.
PyTorch: 79 missing. JAX: 21 not comparable, 58 missing. MNIST, fully connected, 4 layers, cDNI, p_update 0.03-0.06,
500,000 iterations: paper 2 percent; PyTorch missing; JAX 6.53 ± 0.30 (20) not comparable.
"""
