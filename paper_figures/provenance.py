"""The stamp that ties a drawing to its code, claims and run records. It holds no time, so a redrawing is identical."""

from __future__ import annotations

import ast
import json
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from paper_figures.claims import CLAIMS_FILE
from paper_figures.files import sha256
from paper_figures.runs import ROOT, Run

PACKAGE = Path(__file__).resolve().parent
LIBRARIES = ("numpy", "pandas", "scipy", "matplotlib")


@lru_cache
def sources(artifact: str) -> list[str]:
    """Sorted paths, relative to the repository's root, of the files that decide what an artifact looks like.

    They are the artifact's module, everything of this package that it imports (found by parsing), and claims.csv.
    """
    pending, found = [PACKAGE / f"{artifact}.py"], {CLAIMS_FILE.resolve()}
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending += _imported_files(path)
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def stamp(artifact: str, results: Path, runs: list[Run]) -> dict[str, Any]:
    """Everything that a drawing of `artifact` came from.

    `git_commit` is the last commit that changed this package (None outside git) and `git_dirty` whether it was edited
    since, so that a later commit elsewhere does not change a committed figure. `stamp_sha256` is the hash of the rest.
    """
    files = {name: sha256((ROOT / name).read_bytes()) for name in sources(artifact)}
    commit, dirty = _git_state()
    contents = {
        "artifact": artifact,
        "command": f"python -m paper_figures {artifact} --results {_portable(results)}",
        "git_commit": commit,
        "git_dirty": dirty,
        "sources_sha256": sha256(json.dumps(files, sort_keys=True).encode()),
        "sources": files,
        "claims_sha256": sha256(CLAIMS_FILE.read_bytes()),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "runs": [_describe(run) for run in runs],
    }
    return {"stamp_sha256": sha256(json.dumps(contents, sort_keys=True).encode()), **contents}


def short(stamp: dict[str, Any]) -> str:
    """One line for places with little room: a file's metadata, a table's foot."""
    commit = stamp["git_commit"][:10] + ("+edits" if stamp["git_dirty"] else "") if stamp["git_commit"] else "none"
    codes = sorted({run["source_sha256"][:10] for run in stamp["runs"]})
    runs = f"{len(stamp['runs'])} runs" + (f" (code {', '.join(codes)})" if codes else "")
    return (
        f"Stamp {stamp['stamp_sha256'][:10]}: commit {commit}, sources {stamp['sources_sha256'][:10]}, "
        f"claims {stamp['claims_sha256'][:10]}, {runs}. Remake: {stamp['command']}"
    )


def _describe(run: Run) -> dict[str, Any]:
    record = run.record
    return {
        "path": run.path,
        "sha256": run.record_sha256,
        "curves_sha256": run.curves_sha256,
        "status": record["status"],
        "iteration_reached": record["iteration_reached"],
        "data": [{name: entry[name] for name in ("name", "source", "files")} for entry in record["data"]],
        "device": f"{record['device']['kind']} {record['device']['name']}",
        "precision": record["precision"],
        "framework": f"{record['framework']} {record['versions'][record['framework']]}",
        "git_commit": record["code"]["git_commit"],
        "source_sha256": record["code"]["source_sha256"],
    }


def _portable(path: Path) -> str:
    """Relative to the repository where it lies inside, so that the stamp does not depend on where the clone is."""
    absolute = path.resolve()
    return (absolute.relative_to(ROOT) if absolute.is_relative_to(ROOT) else path).as_posix()


@lru_cache
def _git_state() -> tuple[str | None, bool | None]:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments, "--", "paper_figures"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        commit = git("log", "-1", "--format=%H")
        return (commit, bool(git("status", "--porcelain"))) if commit else (None, None)
    except (OSError, subprocess.CalledProcessError):  # no git, not a clone, or no commit yet
        return None, None


def _imported_files(path: Path) -> list[Path]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    candidates = [
        ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in names if name.startswith("paper_figures.")
    ]
    return [file for file in candidates if file.is_file()]
