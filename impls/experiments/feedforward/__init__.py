"""Feed-forward nets with a decoupled neural interface between every two layers (paper, section 3.1, figure 2).

Published results, written by `snakemake readme`: 15 runs. Data: MNIST, CIFAR-10 (original). PyTorch 2.13.0+cpu, JAX
0.10.2; cpu AMD EPYC; fp32. PyTorch: 1 reproduced, 1 inconclusive, 22 not comparable, 104 missing. JAX: 4 reproduced, 1
differs, 1 inconclusive, 41 not comparable, 81 missing. MNIST, fully connected, 4 layers, Backprop: paper 1.8 percent;
PyTorch 2.16 ± 0.14 (3) not comparable; JAX 1.92 ± 0.25 (3) reproduced, also fits cDNI, resolves 1.7.
"""
