"""What can be drawn: every module of this folder is one table or figure, or `claims`, `values` or `report`.

It has `TITLE`, `OUTPUT` (the usual place under the results folder) and
`make(results, request) -> {suffix: bytes}`, whose `request` (see `stamps.Request`) has a default.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from impls.errors import unknown

OTHERS = ("claims", "values", "report")  # those about everything in a results folder


def names() -> list[str]:
    """All artifacts, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def module(name: str) -> ModuleType:
    """The module that makes an artifact; raises `UserError` for an unknown one."""
    if name not in names():
        raise unknown("table or figure", name, names())
    return importlib.import_module(f"paper_figures.artifacts.{name}")
