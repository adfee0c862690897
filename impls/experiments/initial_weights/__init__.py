"""Feed-forward nets with each of three distributions of the weights before training: an ablation.

Published results, written by `snakemake readme`: none yet.
"""
