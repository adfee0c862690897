"""What can be drawn: every module called `table_*`, `text_*` or `fig_*`, and `claims`, `values` and `report`.

Such a module has `TITLE`, `OUTPUT` (the usual place under the results folder) and `make(results) -> {suffix: bytes}`.
"""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path
from types import ModuleType

from paper_figures.errors import FigureError

OTHERS = ("claims", "values", "report")  # those about everything in a results folder


def names() -> list[str]:
    """All artifacts, sorted."""
    stems = [path.stem for path in Path(__file__).parent.glob("*.py")]
    return sorted(stem for stem in stems if stem.startswith(("table_", "text_", "fig_")) or stem in OTHERS)


def module(name: str) -> ModuleType:
    """The module that makes an artifact; raises `FigureError` for an unknown one."""
    if name not in names():
        nearest = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        raise FigureError(f"unknown table or figure {name!r}: {hint}There are: {', '.join(names())}.")
    return importlib.import_module(f"paper_figures.{name}")
