"""How fast each cell trains on this machine, as a share of what the machine can do."""
