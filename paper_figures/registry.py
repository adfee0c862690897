"""What can be drawn, by name: the modules of `artifacts`, found by their files and imported when they are needed."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from impls.errors import unknown

Shown = dict[str, Collection[Any]]  # the cells of a figure: by field, the allowed values

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


def shows_any(figure: str, cells: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a figure shows any of these cells of its experiment; a cell may be the parts of a run's path."""
    shown = module(figure).SHOWN
    return any(is_shown(cell, shown) for cell in cells)


def is_shown(cell: Mapping[str, Any], shown: Shown) -> bool:
    """Whether a cell, or its fields as the path of a run has them, has one of the allowed values of each field."""
    return all(str(cell.get(name)) in map(str, values) for name, values in shown.items())
