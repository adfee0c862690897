"""Averages of past true gradients in place of synthetic ones.

Published results, written by `snakemake readme`: none yet.
"""
