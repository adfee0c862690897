"""The command line: `python -m paper_figures --help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from paper_figures import artifacts
from paper_figures.errors import FigureError
from paper_figures.files import write_together

DESCRIPTION = """\
Draws the paper's tables and figures from the runs under a results folder. Needs neither torch nor jax.

  python -m paper_figures list
      every table and figure, and where it goes
  python -m paper_figures table_feedforward --results results/quick
      one of them, into results/quick/tables
  python -m paper_figures fig_feedforward_curves --results results/published/cpu-2-cores --output /tmp/curves.pdf
      from the published runs, into /tmp/curves.pdf, .svg, .png (and the numbers, .csv, and where they came from, .json)
  python -m paper_figures sources table_feedforward
      the source files that it depends on, one per line

The runs are <results>/<experiment>/**/run.json with curves.parquet beside it; `snakemake` or `python -m impls train`
makes them. A cell without a run is shown as missing, so a table can be drawn at any time.
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns 0, or 2 after an `error: ...` line on stderr."""
    options = _parser().parse_args(arguments)
    try:
        if options.artifact == "list":
            _list()
        elif options.artifact == "sources":
            _sources(options.name)
        elif options.name is not None:
            raise FigureError(f"{options.name!r} was not understood; one table or figure at a time.")
        else:
            _make(options.artifact, options.results, options.output)
    except (FigureError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m paper_figures", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("artifact", metavar="NAME", help="a table or figure of `list`; or `list`; or `sources`")
    parser.add_argument("name", metavar="OF", nargs="?", help="after `sources`: a table or figure")
    parser.add_argument("--results", type=Path, metavar="DIR", help="folder of the runs, such as results/quick")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="where to write; every suffix that is made replaces its own (default: under --results)",
    )
    return parser


def _list() -> None:
    for name in artifacts.names():
        module = artifacts.module(name)
        print(f"{name:24} {module.TITLE}\n{'':24} -> <results>/{module.OUTPUT}")


def _sources(name: str | None) -> None:
    from paper_figures.provenance import sources

    if name is None:
        raise FigureError(f"`sources` needs a name: {', '.join(artifacts.names())}.")
    artifacts.module(name)
    print(*sources(name), sep="\n")


def _make(name: str, results: Path | None, output: Path | None) -> None:
    module = artifacts.module(name)
    if results is None:
        raise FigureError(f"which runs? Give their folder: python -m paper_figures {name} --results results/quick")
    contents = module.make(results)
    output = output or results / module.OUTPUT
    if output.suffix not in contents:
        raise FigureError(f"{output}: {name} makes {' '.join(contents)}; give a name that ends in one of them.")
    files = {output.with_suffix(suffix): content for suffix, content in contents.items()}
    write_together(files)
    print(*files, sep="\n")


if __name__ == "__main__":
    sys.exit(main())
