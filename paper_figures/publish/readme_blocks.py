"""Writes the numbers in README.md, docs/ and the headers of experiments from the published runs: nobody types them.

A page has blocks between the lines `<!-- NAME: begin -->` and `<!-- NAME: end -->`. NAME is `headline` (a few of the
claims that could be judged), `results` (all of them), `counts` (all verdicts by artifact), one of `TABLES`,
`results of <artifact>`, `findings of <section of the paper>` (orderings and trends), `hypotheses of <experiment>` (our
own), or `picture of <figure>`. In the
header of an experiment, `impls/experiments/<name>/__init__.py`, the paragraphs from "Published results" to the end are
written.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from impls.command_line import Parser, run_command, run_program
from impls.errors import UserError
from impls.registry import experiments
from paper_figures.files import write_together
from paper_figures.publish.run_blocks import missed_visits, presets, promotions, target_scales
from paper_figures.publish.simulated_verdicts import simulated_verdicts
from paper_figures.publish.summary import PUBLISHED, Summary
from paper_figures.runs import ROOT

PAGES = (
    "README.md",
    *(
        f"docs/{name}.md"
        for name in ("experiments", "experiments_unlock", "experiments_recurrent", "verdicts", "findings")
    ),
    "config/README.md",
    *(f"impls/experiments/{name}/__init__.py" for name in experiments()),
)
COMMAND = "python -m paper_figures.publish.readme_blocks"
DESCRIPTION = f"""\
Writes the numbers of results/published into README.md, docs/experiments*.md and the headers of the experiments.
Needs neither torch nor jax; `snakemake readme` does the same.

  {COMMAND}
      write them
  {COMMAND} --check
      write nothing, list the pages that are out of date, and exit with 1 if there is one
"""
RESULTS = "Published results"  # the beginning of what is written in a header
HEADER_WIDTH = 120
TABLES: dict[str, Callable[[Summary], str]] = {
    "simulation": lambda _: simulated_verdicts(),
    "presets": lambda _: presets(),
    "promotions": lambda summary: promotions(summary.runs, "recurrent"),
    "promotions with the state carried over": lambda summary: promotions(summary.runs, "carried_state"),
    "missed visits": lambda summary: missed_visits(summary.runs),
    "scales of the target": lambda summary: target_scales(summary.runs),
}
_MARKER = re.compile(r"^<!-- (?P<name>[\w ]+): (?P<which>begin|end) -->$", re.MULTILINE)


def rewrite(text: str, page: Path, summary: Summary) -> str:
    """`text` of the file `page` with every block written again.

    Raises:
        UserError: a marker without its partner, or a block of an unknown name.
    """
    if page.suffix == ".py":
        return _header(text, page.parent.name, summary)
    parts, place, opened = [], 0, None
    for marker in _MARKER.finditer(text):
        if (marker["which"] == "begin") != (opened is None) or opened not in (None, marker["name"]):
            raise UserError(f"{page}: {marker[0]} has no partner; markers come in pairs, and not inside one another.")
        if opened is None:
            parts.append(text[place : marker.end()])
            opened = marker["name"]
        else:
            parts.append(f"\n\n{_block(opened, page, summary)}\n\n")
            place, opened = marker.start(), None
    if opened is not None:
        raise UserError(f"{page}: the block {opened!r} has no end; write <!-- {opened}: end --> below it.")
    return "".join(parts) + text[place:]


def main(arguments: list[str] | None = None) -> int:
    """Returns 0; 1 if `--check` finds a page that is out of date; 2 after an `error: ...` line on stderr."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: _rewrite(options))


def _rewrite(options: argparse.Namespace) -> int:
    summary = Summary(options.results)
    pages = {path: path.read_text(encoding="utf-8") for path in options.pages}
    made = {path: rewrite(text, path.resolve(), summary) for path, text in pages.items()}
    changed = [path for path, text in made.items() if text != pages[path]]
    if not options.check:
        write_together({path: made[path].encode() for path in changed})
    for path in pages:
        state = ("out of date" if options.check else "written") if path in changed else "up to date"
        print(f"{path}: {state}")
    if options.check and changed:
        print(f"Write them again: {COMMAND}", file=sys.stderr)
        return 1
    return 0


def _header(text: str, experiment: str, summary: Summary) -> str:
    """The docstring of an experiment's `__init__.py` with its results."""
    kept = text.partition(f"\n\n{RESULTS}")[0].removesuffix('"""\n').rstrip()
    line = f"{RESULTS}, written by `snakemake readme`: {summary.result_line(experiment)}"
    return f'{kept}\n\n{textwrap.fill(line, HEADER_WIDTH, break_long_words=False, break_on_hyphens=False)}\n"""\n'


def _block(name: str, page: Path, summary: Summary) -> str:
    kind, _, subject = name.partition(" of ")
    whole = {"headline": summary.headline, "results": summary.all_results, "counts": summary.counts}
    made = {
        "results": summary.results_of,
        "findings": summary.findings_of,
        "hypotheses": summary.hypotheses_of,
        "picture": summary.picture_of,
    }
    if name in whole:
        return whole[name](page)
    if name in TABLES:
        return TABLES[name](summary)
    if kind in made and subject:
        return made[kind](subject, page)
    kinds = ", ".join([*whole, *TABLES, "results of <artifact>", "findings of <section>", "hypotheses of <experiment>"])
    raise UserError(f"{page}: unknown block {name!r}; write {kinds} or picture of <figure>.")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog=COMMAND, description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    pages = [ROOT / page for page in PAGES]
    parser.add_argument("pages", nargs="*", type=Path, metavar="PAGE", default=pages, help="default: all")
    parser.add_argument("--check", action="store_true", help="write nothing")
    where = "folder with a folder of runs for each device (default: results/published)"
    parser.add_argument("--results", type=Path, metavar="DIR", default=PUBLISHED, help=where)
    return parser


if __name__ == "__main__":
    run_program(main)
