"""Feed-forward nets with a decoupled neural interface between every two layers (paper, section 3.1, figure 2).

Published results, written by `snakemake readme`: 15 runs. Data: MNIST, CIFAR-10 (original). PyTorch 2.13.0+cpu, JAX
0.10.2; cpu AMD EPYC; fp32. PyTorch: 1 reproduced, 1 inconclusive, 22 not comparable, 104 missing. JAX: 3 reproduced, 1
differs, 1 inconclusive, 42 not comparable, 81 missing. MNIST, fully connected, 3 layers, cDNI, 25,000 iterations: paper
1.9 percent; PyTorch missing; JAX 1.74 ± 0.04 (3) reproduced, resolves 1.0.
"""
