"""Sparse updates and complete unlock: layers and models that are updated at random times."""
