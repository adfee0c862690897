"""`python -m impls`: the command line in `cli.py`."""

import sys

from impls.command_line import run_program
from impls.fork_server import hand_over

if __name__ == "__main__":
    hand_over(sys.argv[1:])
    run_program("impls.cli")
