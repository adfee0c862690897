"""BP(lambda): backpropagated and synthetic gradients mixed.

Published results, written by `snakemake readme`: none yet.
"""
