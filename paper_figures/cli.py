"""The command line: `python -m paper_figures --help`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from impls.command_line import Parser, run_command
from impls.errors import UserError
from paper_figures import registry
from paper_figures.files import write_together

DESCRIPTION = """\
Draws the paper's tables and figures from the runs under a results folder. Needs neither torch nor jax.

  python -m paper_figures list
      every table and figure, and where it goes
  python -m paper_figures table_feedforward --results results/quick
      one of them, into results/quick/tables
  python -m paper_figures fig_feedforward_curves --results results/published/cpu-2-cores --output /tmp/curves.pdf
      from the published runs, into /tmp/curves.pdf, .svg, .png (and the numbers, .csv, and where they came from, .json)
  python -m paper_figures fig_two_network --results results/quick --columns 1 --font serif
      the same figure as an article prints it: one column wide, in a font like Times
  python -m paper_figures report --results results/quick
      all tables and figures in that folder on one page, which opens from disk: results/quick/report.html
  python -m paper_figures summary --results results/quick
      how many orderings and numbers of the paper these runs show, and where everything is
  python -m paper_figures sources table_feedforward
      the source files that it depends on, one per line
  python -m paper_figures stamp curves.pdf
      what a file was made from, as JSON: commit, sources, runs, data, versions, and the command that makes it again
  python -m paper_figures verify curves.pdf results/published/cpu-2-cores
      whether files, or all files in a folder, are what the results and the code on this machine give, or what differs:
      exit 0 all match, 1 one differs, 2 one cannot be verified. The runs are found by the place of the file or by its
      stamp; if they have been moved, give --results DIR

The runs are <results>/<experiment>/**/run.json with curves.parquet beside it; `snakemake` or `python -m impls train`
makes them. A cell without a run is shown as missing, so a table can be drawn at any time.
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns 0 (`verify`: see there), or 2 after an `error: ...` line on stderr."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: _run(options))


def _run(options: argparse.Namespace) -> int | None:
    if options.command == "verify":
        return _verify(options.of, options.results)
    if len(options.of) > (options.command in ("sources", "stamp")):
        raise UserError(f"{options.of[-1]!r} was not understood; one table or figure at a time.")
    if options.command == "list":
        _list()
    elif options.command == "summary":
        _summary(options.results)
    elif options.command == "sources":
        _sources(*options.of)
    elif options.command == "stamp":
        _stamp(*options.of)
    else:
        _make(options)
    return None


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m paper_figures", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "command",
        metavar="NAME",
        help="a table or figure of `list`, or `list`, `summary`, `sources`, `stamp`, `verify`",
    )
    parser.add_argument(
        "of",
        metavar="OF",
        nargs="*",
        help="after `sources`: a table or figure; `stamp`: a file; `verify`: files, folders",
    )
    parser.add_argument("--results", type=Path, metavar="DIR", help="folder of the runs, such as results/quick")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="where to write; the other files go beside it, with their own suffixes (default: under --results)",
    )
    parser.add_argument(
        "--columns",
        type=int,
        choices=(1, 2),
        default=2,
        help="a figure as wide as one column of a page, in NAME_one_column.pdf, or as two (default: 2)",
    )
    parser.add_argument(
        "--axes",
        choices=("linear", "log"),
        default="",
        help="of a figure's iterations and errors (default: linear as in the paper; log where the paper has no figure)",
    )
    parser.add_argument(
        "--font", choices=("sans", "serif"), default="sans", help="of a figure's letters (default: sans)"
    )
    return parser


def _list() -> None:
    for name in registry.names():
        module = registry.module(name)
        print(f"{name:24} {module.TITLE}\n{'':24} -> <results>/{module.OUTPUT}")


def _summary(results: Path | None) -> None:
    from paper_figures.report.terminal_summary import terminal_summary

    if results is None:
        raise UserError("`summary` needs a folder: python -m paper_figures summary --results results/quick")
    print(*terminal_summary(results), sep="\n")


def _sources(name: str | None = None) -> None:
    from paper_figures.provenance.stamps import sources

    if name is None:
        raise UserError(f"`sources` needs a name: {', '.join(registry.names())}.")
    registry.module(name)
    print(*sources(name), sep="\n")


def _stamp(file: str | None = None) -> None:
    from paper_figures.provenance.embedding import SUFFIXES, read_stamp

    if file is None:
        raise UserError("`stamp` needs a file, such as results/quick/figures/fig_sparse_updates.pdf.")
    path = Path(file)
    stamped = path.with_suffix(".json") if path.suffix == ".csv" else path
    stamp = read_stamp(stamped.suffix, stamped.read_bytes()) if stamped.suffix in SUFFIXES else None
    if stamp is None:
        raise UserError(f"{stamped}: no stamp that can be read; `verify {file}` may tell more.")
    print(json.dumps(stamp, indent=1))


def _verify(names: list[str], results: Path | None) -> int:
    from paper_figures.provenance.verify import verify

    if not names:
        raise UserError("`verify` needs files or folders, such as results/published/cpu-2-cores.")
    return verify([Path(name) for name in names], results)


def _make(options: argparse.Namespace) -> None:
    from paper_figures.provenance.stamps import Request

    name, results, output = options.command, options.results, options.output
    request = Request(options.columns, options.axes, options.font)
    module = registry.module(name)
    if results is None:
        raise UserError(f"which runs? Give their folder: python -m paper_figures {name} --results results/quick")
    usual = results / module.OUTPUT
    if request.options and not name.startswith("fig_"):
        raise UserError(f"{name}:{request.options} is for figures; leave it out.")
    endings = (
        "one_column" if request.columns == 1 else "",
        request.axes,
        request.font if request.font != "sans" else "",
    )
    usual = usual.with_stem("_".join(filter(None, [usual.stem, *endings])))
    contents = module.make(results, request)
    output = output or usual
    if output.suffix not in contents:
        raise UserError(f"{output}: {name} makes {' '.join(contents)}; give a name that ends in one of them.")
    files = {output.with_suffix(suffix): content for suffix, content in contents.items()}
    write_together(files)
    print(*files, sep="\n")
