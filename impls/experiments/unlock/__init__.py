"""Sparse updates and complete unlock: layers and models that are updated at random times.

Published results, written by `snakemake readme`: 2 runs. Data: MNIST (original). PyTorch 2.13.0+cpu, JAX 0.10.2; cpu
AMD EPYC; fp32. PyTorch and JAX: 4 reproduced, 4 inconclusive, 12 not comparable, 59 missing each. MNIST, fully
connected, 4 layers, cDNI, p_update 0.10-0.15, 5,000 iterations: paper 5.3 percent; PyTorch 5.41 ± 0.19 (20) reproduced,
resolves 0.60; JAX 5.42 ± 0.19 (20) reproduced, resolves 0.61.
"""
