"""Averages of past true gradients in place of synthetic ones."""
