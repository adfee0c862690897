"""Which source files a training job depends on: the imports of its twin and its engine, followed through `impls`.

Workflow rules list them as inputs, because Snakemake does not see a change in an imported module; run records carry
their hash. The twins and the engine are parsed, not imported, so asking needs neither torch nor jax.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

from impls.registry import implementation_folder

ROOT = Path(__file__).resolve().parent.parent


@cache  # a workflow asks for every job
def training_sources(experiment: str, framework: str) -> list[str]:
    """Sorted paths, relative to the repository's root, of the files that decide what a training job computes."""
    pending = [
        ROOT / "impls" / "experiments" / experiment / "spec.py",
        ROOT / "impls" / "experiments" / implementation_folder(experiment) / f"{framework}_impl.py",
        ROOT / "impls" / "engine" / f"{framework}_engine.py",
        ROOT / "impls" / "engine" / "train.py",
    ]
    found: set[Path] = set()
    while pending:
        path = pending.pop()
        if path in found:
            continue
        found.add(path)
        pending += _imported_files(path)
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def sources_sha256(sources: list[str]) -> str:
    """One hash over the names and contents of `sources`."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.encode() + b"\0" + (ROOT / source).read_bytes() + b"\0")
    return digest.hexdigest()


def _imported_files(path: Path) -> list[Path]:
    """The files of `impls` that `path` imports, anywhere in it (a lazy import counts too)."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    files = []
    for name in names:
        if name.split(".")[0] == "impls":
            module = ROOT / Path(*name.split("."))
            files += [file for file in (module.with_suffix(".py"), module / "__init__.py") if file.is_file()]
    return files
