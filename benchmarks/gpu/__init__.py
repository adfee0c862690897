"""One check of a GPU: that it computes the same as the CPU, and how well it is used."""
