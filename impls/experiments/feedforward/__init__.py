"""Feed-forward nets with a decoupled neural interface between every two layers (paper, section 3.1, figure 2).

Published results, written by `snakemake readme`: 21 runs. Data: MNIST, CIFAR-10 (original). PyTorch 2.13.0+cpu, JAX
0.10.2; cpu AMD EPYC; fp32. PyTorch: 3 reproduced, 2 inconclusive, 46 not comparable, 77 missing. JAX: 7 reproduced, 1
consistent, 1 differs, 2 inconclusive, 40 not comparable, 77 missing. MNIST, fully connected, 3 layers, No backprop:
paper 9.3 percent; PyTorch missing; JAX 9.08 ± 0.39 (3) reproduced, resolves 0.83.
"""
