"""A check of a GPU: whether it computes correctly, and how well it is used."""
