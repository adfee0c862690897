"""`python -m impls`: the command line in `cli.py`."""

from impls.command_line import run_program

if __name__ == "__main__":
    run_program("impls.cli")
