"""Sparse updates with both answers to what Adam does with a layer that is not visited: an ablation.

Published results, written by `snakemake readme`: none yet.
"""
