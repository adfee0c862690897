"""Recurrent nets whose truncated backpropagation goes on with a synthetic gradient (paper, section 3.2).

Published results, written by `snakemake readme`: 14 runs. Data: Copy, Repeat Copy (generated from the seed, as in the
paper); Penn Treebank (original). PyTorch 2.13.0+cpu, JAX 0.10.2; cpu AMD EPYC; fp32; 1 of 14 runs from code with edits
that no commit has. PyTorch and JAX: 10 not comparable, 89 missing each. Copy, BPTT, T = 3: paper 8 time steps; PyTorch
7.0 (1) not comparable; JAX 7.0 [7.0, 7.0] (2) not comparable.
"""
