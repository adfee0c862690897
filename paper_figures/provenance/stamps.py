"""The stamp of a drawing: the code, claims and run records that it was made from. It has no time, so that the same
inputs give the same bytes.

How a file contains its stamp: `embedding`. Whether a file is what its stamp says: `verify`.
"""

from __future__ import annotations

import json
import platform
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from impls import registry
from impls.repository import commit_of_code, git
from impls.sources import portable, with_imports
from paper_figures.files import CLAIMS_DATES, CLAIMS_FILE, sha256
from paper_figures.runs import ROOT, Run

PACKAGE = Path(__file__).resolve().parents[1]
LIBRARIES = ("numpy", "pandas", "scipy", "statsmodels", "matplotlib", "pillow")
CLAIMS = CLAIMS_FILE.relative_to(ROOT).as_posix()
OPTION = re.compile(r" --(?P<name>columns|axes|font) (?P<value>[12]|linear|log|sans|serif)$")  # the last of a command

Stamp = dict[str, Any]


def sources(artifact: str) -> list[str]:
    """Sorted paths, relative to the repository's root, of the files that an artifact depends on."""
    return module_sources(f"artifacts/{artifact}.py")


def spec_sources(experiments: Iterable[str]) -> list[str]:
    """The files with the fields and defaults of experiments, by which their runs are judged; none of unknown ones."""
    known = sorted(set(experiments) & set(registry.experiments()))
    return with_imports([ROOT / "impls" / "experiments" / name / "spec.py" for name in known], ("impls",))


@lru_cache
def module_sources(module: str) -> list[str]:
    """The file of a module of this package, the repository's files that it imports, and the claims with their dates."""
    return with_imports([PACKAGE / module, CLAIMS_FILE.resolve(), CLAIMS_DATES.resolve()], ("paper_figures", "impls"))


def stamp(artifact: str, results: Path, runs: list[Run], options: str = "") -> Stamp:
    """Everything that a drawing of `artifact` is made from; `options` are those of `Request`.

    `git_commit` is the last commit that changed this package (None outside git) and `git_dirty` whether it was edited
    since, so that a later commit elsewhere does not change a committed figure. `data` has the checksums of the files
    of each data set, once. `stamp_sha256` is the hash of the rest.
    """
    specs = spec_sources({run.record.experiment for run in runs})
    files = {name: sha256((ROOT / name).read_bytes()) for name in sorted({*sources(artifact), *specs})}
    commit, dirty = _git_state()
    contents = {
        "artifact": artifact,
        "command": f"python -m paper_figures {artifact} --results {portable(results)}{options}",
        "git_commit": commit,
        "git_dirty": dirty,
        "sources_sha256": _hash(files),
        "sources": files,
        "claims_sha256": sha256(CLAIMS_FILE.read_bytes()),
        "versions": versions(),
        "data": _data(runs),
        "runs": [_describe(run) for run in runs],
    }
    return {"stamp_sha256": _hash(contents), **contents}


@dataclass(frozen=True)
class Request:
    """How a table or figure is made.

    Attributes:
        columns: width of a figure in columns of a page, 1 or 2. Letters have the same size in both.
        axes: "linear" or "log", for iterations and errors; empty: as the figure is.
        font: "sans" or "serif".
        stamped_by: takes the arguments of `stamp`, and returns the stamp for the files.
    """

    columns: int = 2
    axes: str = ""
    font: str = "sans"
    stamped_by: Callable[[str, Path, list[Run], str], Stamp] = stamp

    @property
    def options(self) -> str:
        """The end of the command that makes such files: " --columns 1", or nothing for what is usual."""
        values = {"columns": self.columns, "axes": self.axes, "font": self.font}
        return "".join(f" --{name} {value}" for name, value in values.items() if value != getattr(USUAL, name))

    def stamp(self, artifact: str, results: Path, runs: list[Run]) -> Stamp:
        """The stamp for the files of an artifact that is made from these runs."""
        return self.stamped_by(artifact, results, runs, self.options)


USUAL = Request()


def requested(stamp: Stamp) -> tuple[str, Request]:
    """The results folder in the command of a stamp, and the request that its options are."""
    folder = stamp["command"].partition(" --results ")[2]
    given = {}
    while option := OPTION.search(folder):
        folder = folder[: option.start()]
        given[option["name"]] = option["value"]
    return folder, Request(int(given.get("columns", 2)), given.get("axes", ""), given.get("font", "sans"))


def is_whole(stamp: Stamp) -> bool:
    """Whether a stamp that was read from a file is the one that was written."""
    return stamp["stamp_sha256"] == _hash({name: value for name, value in stamp.items() if name != "stamp_sha256"})


def versions() -> dict[str, str]:
    """Versions of the software that draws and compresses, and so may change the bytes of a figure."""
    libraries = {name: version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), "zlib": zlib.ZLIB_RUNTIME_VERSION, **libraries}


def commit_in_words(stamp: Stamp) -> str:
    """The commit of the code that drew, and whether that code was edited; "none" outside git."""
    return stamp["git_commit"][:10] + ("+edits" if stamp["git_dirty"] else "") if stamp["git_commit"] else "none"


def one_line(stamp: Stamp) -> str:
    """A summary for places with little room, such as the line below a table."""
    codes = sorted({run["source_sha256"][:10] for run in stamp["runs"]})
    runs = f"{len(stamp['runs'])} runs" + (f" (code {', '.join(codes)})" if codes else "")
    return (
        f"Stamp {stamp['stamp_sha256'][:10]}: commit {commit_in_words(stamp)}, sources {stamp['sources_sha256'][:10]}, "
        f"claims {stamp['claims_sha256'][:10]}, {runs}. Remake: {stamp['command']}"
    )


def _hash(contents: dict[str, Any]) -> str:
    return sha256(json.dumps(contents, sort_keys=True).encode())


def _describe(run: Run) -> dict[str, Any]:
    record = run.record
    return {
        "path": run.path,
        "sha256": run.record_sha256,
        "curves_sha256": run.curves_sha256,
        "status": record.status,
        "iteration_reached": record.iteration_reached,
        "data": [f"{entry.name} ({entry.source})" for entry in record.data],
        "device": run.device,
        "precision": record.precision,
        "framework": f"{record.framework} {record.versions[record.framework]}",
        "git_commit": record.code.git_commit,
        "source_sha256": record.code.source_sha256,
        **({"times_sha256": run.times_sha256} if run.times_sha256 else {}),
    }


def _data(runs: list[Run]) -> list[dict[str, Any]]:
    entries = [entry.model_dump(include={"name", "source", "files"}) for run in runs for entry in run.record.data]
    return [json.loads(entry) for entry in sorted({json.dumps(entry, sort_keys=True) for entry in entries})]


@lru_cache
def _git_state() -> tuple[str | None, bool | None]:
    if commit_of_code().dirty is None:  # no repository of this code, or no commit yet
        return None, None
    last = git("log", "-1", "--format=%H", "--", PACKAGE.name).decode().strip()
    # Where the history is cut off, git names the first commit that is left, whatever it changed.
    cut_off = git("rev-parse", "--is-shallow-repository").strip() == b"true" and last in _ends_of_history()
    return (None if cut_off else last, bool(git("status", "--porcelain", "--", PACKAGE.name)))


def _ends_of_history() -> list[str]:
    return git("log", "--max-parents=0", "--format=%H").decode().split()
