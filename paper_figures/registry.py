"""What can be drawn, by name: the modules of `artifacts`, found by their files and imported when they are needed."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from impls.errors import unknown

FOLDER = Path(__file__).parent / "artifacts"
OTHERS = ("claims", "values", "report")  # those about everything in a results folder


def names() -> list[str]:
    """All artifacts, sorted."""
    return sorted(path.stem for path in FOLDER.glob("[!._]*.py"))


def module(name: str) -> ModuleType:
    """The module that makes an artifact; raises `UserError` for an unknown one."""
    if name not in names():
        raise unknown("table or figure", name, names())
    return importlib.import_module(f"paper_figures.artifacts.{name}")
