"""Since when each claim has been as it is: the date of the commit that last changed its value, margin or direction.

A margin that is chosen after a run can be chosen to fit it. So each verdict says whether its claim is older than its
run. The dates are read from git and kept in `claims.json` beside `claims.csv`, because not everybody who draws has the
history. A claim that was changed after that has no date there, and counts as changed just now.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from impls.command_line import Parser, run_command, run_program
from impls.errors import UserError
from impls.repository import git
from paper_figures.files import CLAIMS_DATES, CLAIMS_FILE, write_together

COMMAND = "python -m paper_figures.claims.history"
DESCRIPTION = f"""\
Writes the date of each claim into paper_figures/claims/claims.json, from git: when its value, margin or direction was
last changed. Run it after the commit of a change of claims.csv, and commit what it wrote; `snakemake dates` does the
same. A claim that is not committed yet gets no date.

  {COMMAND}
      write them
  {COMMAND} --check
      write nothing, and exit with 1 if the dates are not those of git
"""
Terms: TypeAlias = tuple[float, float, str]  # value, margin, direction


def terms_of(claim: dict) -> Terms:
    """What a claim's date is about."""
    return float(claim["value"]), float(claim["margin"]), claim["direction"]


def read_dates(path: Path = CLAIMS_DATES) -> dict[str, tuple[Terms, str]]:
    """By id, the terms of a claim and the date of the commit that made them so; "" for one not committed."""
    claims = json.loads(path.read_text(encoding="utf-8"))
    return {name: (terms_of(claim), claim["since"] or "") for name, claim in claims.items()}


def dates_from_git(file: Path = CLAIMS_FILE) -> dict[str, tuple[Terms, str]]:
    """The same, from the history of `file`; dates are those of the committer, in ISO 8601 and UTC.

    Raises:
        UserError: no git, no repository, or one without its whole history.
    """
    if _git(file, "rev-parse", "--is-shallow-repository").strip() != "false":
        raise UserError("this clone has only a part of the history: run `git fetch --unshallow` first.")
    current = _claims(file.read_text(encoding="utf-8"))
    dates = dict.fromkeys(current, "")
    unchanged = set(current)
    log = _git(file, "log", "--follow", "--name-only", "--format=%x00%H %ct", "--", file.name)
    for entry in log.split("\0")[1:]:
        head, *paths = entry.split("\n")
        commit, seconds = head.split()
        (path,) = filter(None, paths)
        claims = _claims(_git(file, "show", f"{commit}:{path}"))
        unchanged = {name for name in unchanged if claims.get(name) == current[name]}
        dates |= dict.fromkeys(unchanged, _iso(int(seconds)))
    return {name: (terms, dates[name]) for name, terms in current.items()}


def main(arguments: list[str] | None = None) -> int:
    """Returns 0; 1 if `--check` finds other dates; 2 after an `error: ...` line on stderr."""
    parser = Parser(prog=COMMAND, description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    return run_command(lambda: _write(options.check))


def _write(check: bool) -> int:
    found = dates_from_git()
    if not check:
        write_together({CLAIMS_DATES: _text(found).encode()})
        print(f"{CLAIMS_DATES}: {sum(bool(since) for _, since in found.values())} of {len(found)} claims have a date")
    elif read_dates() != found:
        print(f"{CLAIMS_DATES}: not the dates of git. Write them again: {COMMAND}", file=sys.stderr)
        return 1
    return 0


def _text(dates: dict[str, tuple[Terms, str]]) -> str:
    entries = {
        name: {"value": value, "margin": margin, "direction": direction, "since": since or None}
        for name, ((value, margin, direction), since) in dates.items()
    }
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items())
    return f"{{\n{lines}\n}}\n"


def _claims(text: str) -> dict[str, Terms]:
    return {row["id"]: terms_of(row) for row in csv.DictReader(io.StringIO(text))}


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _git(file: Path, *arguments: str) -> str:
    try:
        return git(*arguments, folder=file.parent).decode()
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(f"the dates of claims are read from git, which failed: {error}") from None


if __name__ == "__main__":
    run_program(main)
