"""The notes of a release: its part of CHANGELOG.md, once every file that names the version agrees with the tag."""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from pathlib import Path

import yaml

from impls.command_line import Parser, run_command, run_program
from impls.errors import UserError
from paper_figures.files import write_together
from paper_figures.runs import ROOT

COMMAND = "python -m paper_figures.publish.release"
DESCRIPTION = f"""\
Prints what CHANGELOG.md says of a version, and checks that all files name it. Needs neither torch nor jax.

  {COMMAND} v0.2.0 --output notes.md
      writes the notes; an error lists every file that names another version
"""


def release_notes(tag: str, root: Path = ROOT) -> str:
    """The part of the changelog for the version of a tag.

    Raises:
        UserError: the tag is no version, a file names another one, or the changelog has no part for it.
    """
    if not re.fullmatch(r"v\d+\.\d+\.\d+", tag):
        raise UserError(f"{tag!r} is no version; a tag is like v1.2.3")
    version = tag.removeprefix("v")
    named = {
        "pyproject.toml": tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"],
        "CITATION.cff": str(yaml.safe_load((root / "CITATION.cff").read_text())["version"]),
        ".zenodo.json": json.loads((root / ".zenodo.json").read_text())["version"],
    }
    if other := [f"{file} has {there}" for file, there in named.items() if there != version]:
        raise UserError(f"{tag}: {', '.join(other)}; write {version} there, and tag that commit")
    changelog = (root / "CHANGELOG.md").read_text()
    parts = re.split(r"^## \[([^\]]+)\].*\n", changelog, flags=re.MULTILINE)
    notes = dict(zip(parts[1::2], parts[2::2], strict=True)).get(version, "").strip()
    if not notes:
        raise UserError(f"CHANGELOG.md has no part ## [{version}]; rename [Unreleased], and tag that commit")
    return notes + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, or 2 after an `error: ...` line on stderr."""
    parser = Parser(prog=COMMAND, description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tag", metavar="TAG", help="such as v0.2.0")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write them (default: the terminal)")
    return run_command(lambda: _write(parser.parse_args(arguments)))


def _write(options: argparse.Namespace) -> None:
    notes = release_notes(options.tag)
    if options.output:
        write_together({options.output: notes.encode()})
    else:
        sys.stdout.write(notes)


if __name__ == "__main__":
    run_program(main)
