"""The source files that a training job depends on: the imports of its twin and its engine, followed through `impls`.

Workflow rules list them as inputs, because Snakemake does not see a change in an imported module. Run records contain
their hash. The files are parsed, not imported, so this needs neither torch nor jax.
"""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from impls.registry import implementation_folder

ROOT = Path(__file__).resolve().parent.parent


def portable(path: Path) -> str:
    """A path as records and drawings name it: from the repository's root; of one elsewhere, `.../` and its last part.

    Links are not followed, so a folder of results may be a link to another disk.
    """
    absolute = Path(os.path.abspath(path))
    inside = next((p for p in (absolute, absolute.resolve()) if p.is_relative_to(ROOT)), None)
    return f".../{absolute.name}" if inside is None else inside.relative_to(ROOT).as_posix()


@cache  # a workflow calls it for every job
def training_sources(experiment: str, framework: str) -> list[str]:
    """Sorted paths, relative to the repository's root, of the files that decide what a training job computes."""
    pending = [
        ROOT / "impls" / "experiments" / experiment / "spec.py",
        ROOT / "impls" / "experiments" / implementation_folder(experiment) / f"{framework}_impl.py",
        ROOT / "impls" / "engine" / f"{framework}_engine.py",
        ROOT / "impls" / "engine" / "train.py",
    ]
    return with_imports(pending, ("impls",))


def with_imports(files: list[Path], packages: tuple[str, ...]) -> list[str]:
    """Sorted paths, relative to the repository's root, of `files` and of everything they import from `packages`.

    Imports anywhere in a file count, also those inside a function. An `__init__.py` that is only a docstring is left
    out: it changes no result.
    """
    pending, found = list(files), set()
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending += _imported_files(path, packages)
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def sources_sha256(sources: list[str], read: Callable[[str], bytes] = lambda name: (ROOT / name).read_bytes()) -> str:
    """One hash over the names and contents of `sources`.

    Args:
        read: the contents by name, if not those that the files have now.
    """
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.encode() + b"\0" + read(source) + b"\0")
    return digest.hexdigest()


def _imported_files(path: Path, packages: tuple[str, ...]) -> list[Path]:
    if path.suffix != ".py":
        return []
    files = []
    for name in _imported_names(path.read_text(encoding="utf-8")):
        if name.split(".")[0] in packages:
            module = ROOT / Path(*name.split("."))
            files += [file for file in (module.with_suffix(".py"), module / "__init__.py") if file.is_file()]
    return [file for file in files if file.name != "__init__.py" or _has_code(file.read_text(encoding="utf-8"))]


@cache  # by the text, as the next: a workflow asks for the same files hundreds of times, and parsing takes long
def _imported_names(text: str) -> tuple[str, ...]:
    names: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


@cache
def _has_code(text: str) -> bool:
    return any(not isinstance(node, ast.Expr) for node in ast.parse(text).body)
