"""Numbers in README.md and docs/: blocks between markers, written from the published runs, so that nobody types them.

A page holds `<!-- NAME: begin -->` and `<!-- NAME: end -->`, each on a line of its own; what is between them is made.
NAME is `results` (verdicts and numbers of the whole suite), `results of <artifact>`, `findings of <section of the
paper>` (orderings and trends), or `picture of <figure>`.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from impls.errors import UserError
from paper_figures.files import write_together
from paper_figures.publish.summary import PUBLISHED, Summary
from paper_figures.runs import ROOT

PAGES = ("README.md", "docs/experiments.md")
COMMAND = "python -m paper_figures.publish.readme_blocks"
DESCRIPTION = f"""\
Writes the blocks of README.md and docs/experiments.md that tell what results/published shows. Needs neither torch nor
jax; `snakemake readme` does the same.

  {COMMAND}
      write them
  {COMMAND} --check
      say which pages are stale, and exit with 1 if any is
"""
_MARKER = re.compile(r"^<!-- (?P<name>[\w ]+): (?P<which>begin|end) -->$", re.MULTILINE)


def rewrite(text: str, page: Path, summary: Summary) -> str:
    """`text` of the file `page` with every block made anew.

    Raises:
        UserError: markers that do not come in pairs, or a block of an unknown name.
    """
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
    """Returns 0; 1 where `--check` finds a stale page; 2 after an `error: ...` line on stderr."""
    options = _parser().parse_args(arguments)
    try:
        summary = Summary(options.results)
        pages = {path: path.read_text(encoding="utf-8") for path in options.pages}
        made = {path: rewrite(text, path.resolve(), summary) for path, text in pages.items()}
        changed = [path for path, text in made.items() if text != pages[path]]
        if not options.check:
            write_together({path: made[path].encode() for path in changed})
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for path in pages:
        state = ("stale" if options.check else "written") if path in changed else "up to date"
        print(f"{path}: {state}")
    if options.check and changed:
        print(f"Write them anew: {COMMAND}", file=sys.stderr)
        return 1
    return 0


def _block(name: str, page: Path, summary: Summary) -> str:
    kind, _, subject = name.partition(" of ")
    made = {"results": summary.results_of, "findings": summary.findings_of, "picture": summary.picture_of}
    if name == "results":
        return summary.all_results(page)
    if kind in made and subject:
        return made[kind](subject, page)
    kinds = "results, results of <artifact>, findings of <section> or picture of <figure>"
    raise UserError(f"{page}: unknown block {name!r}; write {kinds}.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=COMMAND, description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    pages = [ROOT / page for page in PAGES]
    parser.add_argument("pages", nargs="*", type=Path, metavar="PAGE", default=pages, help="default: both")
    parser.add_argument("--check", action="store_true", help="write nothing")
    where = "where each device has its folder of runs (default: results/published)"
    parser.add_argument("--results", type=Path, metavar="DIR", default=PUBLISHED, help=where)
    return parser


if __name__ == "__main__":
    sys.exit(main())
