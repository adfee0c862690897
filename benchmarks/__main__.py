"""`python -m benchmarks`: the command line in `cli.py`."""

from impls.command_line import run_program

if __name__ == "__main__":
    run_program("benchmarks.cli")
