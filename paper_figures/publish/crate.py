"""A results folder as one research object: a zip archive of results and sources with an RO-Crate description.

It follows the profiles Workflow Run Crate 0.5, Process Run Crate 0.5 and Workflow RO-Crate 1.0 of RO-Crate 1.1: the
Snakefile is the workflow; one action is its run, and each training is an action of its own, with the data (by
checksum), the software, the device and the files that it made. It names no agent. Paths inside are those of the
repository, so what is unpacked can be drawn again as it stands. The same results and sources give the same bytes.
"""

from __future__ import annotations

import argparse
import io
import json
import zipfile
from pathlib import Path

from impls.command_line import Parser, run_command, run_program
from impls.errors import UserError
from impls.sources import portable
from paper_figures.files import write_together
from paper_figures.runs import ROOT, read_experiments

METADATA = "ro-crate-metadata.json"
SOURCES = (
    *("Snakefile", "Makefile", "README.md", "LICENSE", "CITATION.cff", "pyproject.toml", "constraints.txt"),
    *("workflows/**/*", "config/*", "profiles/**/*.yaml", "docs/**/*.md", "impls/**/*.py", "impls/**/*.json"),
    *("paper_figures/**/*.py", "paper_figures/claims/*.csv", "paper_figures/report/templates/*"),
)
LEFT_OUT = {"logs", "checkpoint.npz", "parameters.npz", "crate.zip"}  # of a results folder; hidden files too
OLDEST = (1980, 1, 1, 0, 0, 0)  # the date of every member: a zip archive knows none before
DESCRIPTION = """\
Packs a results folder and the sources of this repository into one research object (RO-Crate, profile Workflow Run
Crate), to be deposited and cited. `snakemake crate` does the same for the folder of the preset.

  python -m paper_figures.publish.crate --results results/published/cpu-2-cores
      into results/published/cpu-2-cores/crate.zip
"""


def make(results: Path) -> bytes:
    """The archive of a results folder that lies inside the repository.

    Raises:
        UserError: the folder is elsewhere, or holds no run; or the library that describes it is not installed.
    """
    try:
        from paper_figures.publish.crate_metadata import (
            metadata,  # here, so that the workflow can ask for `packed_sources`
        )
    except ModuleNotFoundError as error:
        raise UserError(f"{error}; install what the workflow needs: pip install '.[workflow]'") from None
    results = ROOT / portable(results)
    if not results.is_dir():
        raise UserError(f"{results}: lies outside the repository; a crate keeps the paths of the repository.")
    runs = read_experiments(results, {path.relative_to(results).parts[0] for path in results.rglob("run.json")})
    if not runs:
        raise UserError(f"{results}: holds no run; `snakemake` makes them.")
    files = {path.relative_to(ROOT).as_posix(): path for path in _results(results)}
    files |= {name: ROOT / name for name in packed_sources()}
    described = json.dumps(metadata(results, runs, files), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for name, content in [(METADATA, described.encode()), *((n, p.read_bytes()) for n, p in sorted(files.items()))]:
            member = zipfile.ZipInfo(name, OLDEST)
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            packed.writestr(member, content)
    return archive.getvalue()


def packed_sources() -> list[str]:
    """Sorted paths, relative to the repository's root, of the files of the repository that go into every crate."""
    paths = {path for pattern in SOURCES for path in ROOT.glob(pattern) if path.is_file()}
    return sorted(path.relative_to(ROOT).as_posix() for path in paths)


def _results(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part in LEFT_OUT or part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, or 2 after an `error: ...` line on stderr."""
    parser = Parser(
        prog="python -m paper_figures.publish.crate",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--results", type=Path, metavar="DIR", required=True, help="a folder of runs, inside results/")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: crate.zip in that folder")
    options = parser.parse_args(arguments)
    return run_command(lambda: _pack(options.results, options.output or options.results / "crate.zip"))


def _pack(results: Path, output: Path) -> None:
    write_together({output: make(results)})
    print(output)


if __name__ == "__main__":
    run_program(main)
