"""The two trees that are compared, and the processes that measure each tree's `impls` with a common harness."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from impls.errors import UserError
from impls.repository import commit_of_code, git
from impls.sources import sources_sha256

OWN = Path(__file__).parents[1]
SCHEMA = 1  # of records, as in measure.py, which cannot be imported here because it needs a tree's `impls`
# The files that a tree's harness must have: the program and the list of cases.
HARNESS = ("measure.py", "cases.py")
# Read by measure.py, which then waits after each launch for this share of its time; set only by `calibrate`.
SLOWDOWN = "DNI_BENCHMARK_SLOWDOWN"


class Failed(Exception):
    """A measuring process failed; the message is one line."""


@dataclass(frozen=True)
class Tree:
    """A checkout with `impls` and perhaps `benchmarks`; its processes get `environment` in addition."""

    side: str  # "base" or "head"
    label: str
    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def has_harness(self) -> bool:
        return all((self.path / "benchmarks" / name).is_file() for name in HARNESS)


@contextlib.contextmanager
def opened(text: str, side: str, place: Path) -> Iterator[Tree]:
    """The tree that the user named: a folder as it is, or a revision, checked out at `place` until the context ends."""
    folder = Path(text)
    if text and (folder / "impls").is_dir():
        yield Tree(side, f"the working tree {text} ({_state(folder)})", folder.resolve())
        return
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    if not commit:
        raise UserError(
            f"{text!r} is neither a revision of the git repository here, nor a folder with impls/ in it, nor a .json "
            "file (a shallow clone has few revisions: git fetch --unshallow)"
        )
    if commit == _git("rev-parse", "HEAD") and _git("status", "--porcelain"):
        say(f"note: {text} is the commit without the changes of the working tree; write . to include those")
    try:
        try:
            git("worktree", "add", "--detach", "--quiet", str(place), commit, folder=Path())
        except subprocess.CalledProcessError as error:
            raise UserError(f"git could not check out {text}: {error.stderr.decode().strip()}") from None
        yield Tree(side, f"{text} ({commit[:10]})", place)
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):  # it was not added
            git("worktree", "remove", "--force", str(place), folder=Path())


def _state(folder: Path) -> str:
    return str(commit_of_code(folder.resolve()))


def _git(*arguments: str) -> str:
    """The output of git, or an empty string if it fails."""
    try:
        return git(*arguments, folder=Path()).decode().strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def harness_of(head: Tree, place: Path) -> Path:
    """A folder with only HEAD's `benchmarks`, or this program's own if HEAD has no usable one."""
    source = head.path / "benchmarks" if head.has_harness else OWN
    shutil.copytree(source, place / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    return place


def code_sha256(tree: Tree) -> str:
    """One hash over the names and contents of the tree's `impls`: all that `measure` runs of it."""
    files = [path.relative_to(tree.path).as_posix() for path in (tree.path / "impls").rglob("*") if path.is_file()]
    code = sorted(name for name in files if "__pycache__" not in name)
    return sources_sha256(code, lambda name: (tree.path / name).read_bytes())


def names(tree_or_harness: Path) -> list[str]:
    """The cases of a folder's `benchmarks`, from its own `cases.py`."""
    result = _python(["-m", "benchmarks.cases"], [tree_or_harness], tree_or_harness, {}, seconds=120)
    if result.returncode:
        raise UserError(f"the list of benchmarks in {tree_or_harness} cannot be read: {_last_line(result.stderr)}")
    return json.loads(result.stdout)


def measure(tree: Tree, harness: Path, flags: list[str], minutes: float) -> dict[str, Any]:
    """The record of one fresh process that runs measure.py with these flags; raises `Failed`."""
    output = harness / "record.json"
    output.unlink(missing_ok=True)
    command = ["-m", "benchmarks.measure", *flags, "--output", str(output)]
    try:
        result = _python(command, [harness, tree.path], tree.path, tree.environment, 60 * minutes)
    except subprocess.TimeoutExpired:
        raise Failed(f"{tree.side} took longer than {minutes:g} minutes") from None
    if result.returncode:
        raise Failed(f"{tree.side} ended with exit code {result.returncode}: {_last_line(result.stderr)}")
    record = json.loads(output.read_text())
    if record["schema"] != SCHEMA:
        raise Failed("head's harness writes records of another version: run compare in head's own checkout")
    return record


def _python(
    arguments: list[str], path: list[Path], folder: Path, more: dict[str, str], seconds: float
) -> subprocess.CompletedProcess:
    """Run this interpreter with `path` ahead of everything installed, and without the current folder (-P)."""
    environment = {name: value for name, value in os.environ.items() if name != SLOWDOWN}
    users = [environment["PYTHONPATH"]] if environment.get("PYTHONPATH") else []
    environment |= {"PYTHONPATH": os.pathsep.join([*map(str, path), *users])} | more
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds)


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no error message")


def say(message: str) -> None:
    """Print a progress line to stderr."""
    print(message, file=sys.stderr, flush=True)
