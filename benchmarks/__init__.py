"""The training speed of each cell on this machine, as a share of the machine's limit."""
