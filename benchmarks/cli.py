"""The command line: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import sys
import traceback
from pathlib import Path
from typing import Any

from benchmarks.gate.calibrate import calibrate
from benchmarks.gate.compare import compare
from benchmarks.gpu import gpu_check
from benchmarks.peers import command as peers
from benchmarks.roofline import limits, scale
from impls.command_line import STOPPED, Parser, run_command
from impls.engine.stop_signals import handling
from impls.errors import UserError

DESCRIPTION = """\
Training speed: whether a change made it slower (compare, calibrate; docs/regression-gate.md), how close it is to the
limit of this machine (limits; docs/engine.md), what a step costs as it grows (scale), how fast public implementations
are here (peers; docs/running.md), and whether a GPU works as it should (gpu-check; docs/ci.md)."""
COMPARE = """\
Compares the speed of two revisions, benchmark by benchmark, in pairs of fresh processes. BASE and HEAD are each a git
revision (checked out in a separate folder and removed afterwards) or a folder with code (such as `.`). Or both are
.json files from `pytest benchmarks --benchmark-json` or from --save, or quoted patterns such as 'base-*.json'.

examples:
  python -m benchmarks compare main .
  python -m benchmarks compare v1.0 HEAD --benchmarks 'feedforward/*' --framework torch --markdown summary.md
  python -m benchmarks compare saved.json saved.json
"""
LIMITS = """\
Measures this machine's limits (matrix products and convolutions at the shapes of the paper's nets, passes over memory,
the cost of a call), then every benchmark's step. For each step the page gives counted operations and bytes, time at the
limit, measured time (median and range of --processes processes), and the share of the limit. It also gives the time of
a plain eager loop. Run it on an otherwise idle machine. It takes one to two hours on two cores, and longer the first
time, to compile. Each result is kept at once in a file <page>.unfinished.json; after Ctrl-C or a crash, --resume goes
on with what is missing. The page, and the times in a .json file beside it, are written when all is measured. Each
measuring of all cases adds a line to the page's history. Exit code 0; 1 if a case failed; 4 if nothing was measured.

examples:
  python -m benchmarks limits
  python -m benchmarks limits --resume
  python -m benchmarks limits --framework torch --cases 'recurrent/*'
"""
SCALE = """\
Measures what a step costs as one size grows, in both frameworks, against the limit of this machine: depth, width,
batch, replicas, and T of a recurrent net, each from a base case. A step that would take more than 5 s is skipped, and
the page says so. The page has a figure (.svg) and a table of the points. Run it on an otherwise idle machine; it takes
about an hour on two cores. Results are kept and resumed as those of limits. Exit code 0; 1 if a point failed; 4 if
nothing was measured.
"""
PEERS = """\
Times public implementations of the paper on this machine, next to ours in both frameworks, with exactly their sizes.
CHECKOUT is a folder with a clone of a repository that is known here. Its code is run. In each round every net is timed
in a fresh process, theirs, ours in PyTorch, ours in JAX; the ratios are those within a round. Run it on an otherwise
idle machine. Exit code 0; 4 if nothing was measured.

examples:
  git clone https://github.com/koz4k/dni-pytorch ../dni-pytorch
  python -m benchmarks peers ../dni-pytorch --replicas 10 --save peers.json
"""
GPU_CHECK = """\
One call, under ten minutes. First it compares every experiment's fast path with the plain loop on the GPU, in both
frameworks, with the tests of the parity ladder. Then it measures the gaps between kernels in a step, the time of 20
replicas relative to one, how long the MNIST table would take at the paper's scale, and the share of the measured TF32
and bfloat16 rates that is reached. It records clocks and reasons for throttling. Exit code 0; 1 if anything failed or
is missing; 4 for a mistake on the command line.
"""
EXIT_CODES = """\
exit codes; the first that applies is returned (precedence 1 > 3 > 2 > 0):
  1    slower: a benchmark is slower by more than its margin
  3    not comparable: for a benchmark, machine, settings or result differ, or it is missing, or its process failed
  2    inconclusive: a benchmark's noise is too large for --max-pairs
  0    not slower: every benchmark
  4    nothing was compared: the command line names something that does not exist, or a defect of this program
  130  stopped
"""


class _Parser(Parser):
    mistake = 4  # 2 means inconclusive here


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; returns the exit code."""
    options = build_parser().parse_args(arguments)
    options.words = sys.argv[1:] if arguments is None else arguments
    try:
        with handling(_stop):  # a stopped CI job must clean up too
            code = run_command(lambda: _run(options), _Parser.mistake)
    except Exception:  # Python's own exit code would be 1, which means slower
        traceback.print_exc()
        return _Parser.mistake
    if code == STOPPED:
        print("stopped", file=sys.stderr)
    return code


def _run(options: argparse.Namespace) -> int:
    if options.run in (compare, calibrate) and not 2 <= options.pairs <= options.max_pairs:
        raise UserError("--pairs must be at least 2, and --max-pairs no less than --pairs")
    return options.run(options)


def _stop(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def build_parser() -> argparse.ArgumentParser:
    """The parser; `run` holds each subcommand's function."""
    parser = _Parser(prog="python -m benchmarks", description=DESCRIPTION, allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="command")
    shape: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}

    texts: dict[str, Any] = {"description": COMPARE, "epilog": EXIT_CODES}
    sub = commands.add_parser("compare", help="is HEAD slower than BASE?", **texts, **shape)
    sub.add_argument("base", metavar="BASE", help="the earlier code")
    sub.add_argument("head", metavar="HEAD", help="the code to be judged")
    _add_measuring(sub, benchmarks="*", pairs=10, max_pairs=40)
    sub.add_argument("--markdown", type=Path, metavar="FILE", help="write a summary for a pull request")
    sub.add_argument("--save", type=Path, metavar="FILE", help="write every pair as JSON, which compare can read again")
    sub.set_defaults(run=compare)

    sub = commands.add_parser(
        "calibrate",
        help="how often is compare wrong on this machine?",
        description="Compares the working tree with itself, unchanged and with planted slowdowns of 5% and 10%, and\n"
        "writes how often each was called slower, and every pair to a .json file beside the table. Takes as long\n"
        "as four times --repeats comparisons, because every second one has no planted slowdown.",
        **shape,
    )
    _add_measuring(sub, benchmarks="*/dni/x1", pairs=10, max_pairs=40)
    sub.add_argument("--repeats", type=int, default=20, metavar="N", help="comparisons per slowdown (%(default)s)")
    output = Path("docs/gate-calibration.md")
    sub.add_argument("--output", type=Path, default=output, metavar="FILE", help="the table (%(default)s)")
    sub.add_argument("--resume", action="store_true", help="add to the comparisons of an earlier call on this machine")
    sub.set_defaults(run=calibrate)

    text = "how close does every case come to the limit of this machine?"
    sub = commands.add_parser("limits", help=text, description=LIMITS, **shape)
    _add_where(sub)
    sub.add_argument("--cases", default="*", metavar="PATTERN", help="such as 'recurrent/*/x1' (%(default)s)")
    _add_page(sub, limits.PROCESSES, f"the page ({limits.PAGE}; only the terminal if --cases leaves some out)")
    sub.set_defaults(run=limits.limits, command="limits")

    sub = commands.add_parser("scale", help="what does a step cost as it grows?", description=SCALE, **shape)
    _add_where(sub)
    _add_page(sub, scale.PROCESSES, f"the page ({scale.PAGE}); its figure and times are beside it")
    sub.set_defaults(run=scale.scale, command="scale")

    sub = commands.add_parser("peers", help="how fast are public implementations here?", description=PEERS, **shape)
    add = sub.add_argument
    add("checkouts", nargs="*", type=Path, metavar="CHECKOUT", help="a clone of a known repository")
    add("--rounds", type=int, default=peers.ROUNDS, metavar="N", help="processes of each net, 3 or more (%(default)s)")
    add("--steps", type=int, default=peers.STEPS, metavar="N", help="iterations of a timed launch (%(default)s)")
    add("--replicas", type=int, default=1, metavar="N", help="also ours with N replicas at once (%(default)s)")
    add("--save", type=Path, metavar="FILE", help="write every time to a .json file")
    sub.set_defaults(run=peers.peers)

    text = "does a GPU compute and run the experiments as it should?"
    sub = commands.add_parser("gpu-check", help=text, description=GPU_CHECK, **shape)
    gpu_check.add_arguments(sub)
    sub.set_defaults(run=gpu_check.checked)
    return parser


def _add_measuring(parser: argparse.ArgumentParser, benchmarks: str, pairs: int, max_pairs: int) -> None:
    add = parser.add_argument
    text = "such as 'recurrent/*/x1'; several with commas between them (%(default)s)"
    add("--benchmarks", default=benchmarks, metavar="PATTERNS", help=text)
    add("--pairs", type=int, default=pairs, metavar="N", help="pairs before the first verdict (%(default)s)")
    add("--max-pairs", type=int, default=max_pairs, metavar="N", help="pairs before the last verdict (%(default)s)")
    _add_where(parser)


def _add_page(parser: argparse.ArgumentParser, processes: int, output: str) -> None:
    add = parser.add_argument
    text = "processes of each case in all, whose median is shown (%(default)s)"
    add("--processes", type=int, default=processes, metavar="N", help=text)
    text = "measure only what an earlier call with this code on this machine lacks, and what failed there"
    add("--resume", action="store_true", help=text)
    text = "measure nothing: draw the page again from the .json file beside it"
    add("--draw-again", action="store_true", help=text)
    add("--output", type=Path, metavar="FILE", help=output)


def _add_where(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--framework", choices=("torch", "jax", "both"), default="both", help="(%(default)s)")
    add("--precision", choices=("fp32", "tf32", "bf16", "fp64"), default="fp32", help="(%(default)s)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if there is one (%(default)s)")
