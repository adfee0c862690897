"""The experiments, one folder each: a spec, and the twins that compute it in PyTorch and in JAX."""
