"""The benchmarks that pytest runs."""
