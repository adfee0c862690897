"""Matched PyTorch and JAX implementations of Jaderberg et al. (2017), one folder per experiment."""
