"""Random stops, full disks, damaged files and nonsense as input: `python -m tests.chaos --help`."""
