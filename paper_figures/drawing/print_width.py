"""How wide a figure is printed: over two columns of a page, as usual, or in one (`python -m paper_figures --columns`).

Letters are equally large in both, so a figure for one column is drawn anew and not made smaller.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

WIDTHS = {1: 3.35, 2: 7.0}  # inches, by columns

ONE = " --columns 1"

_columns: ContextVar[int] = ContextVar("columns", default=2)


@contextmanager
def printed_in(columns: int) -> Iterator[None]:
    """Within it, figures are as wide as so many columns: 1 or 2."""
    token = _columns.set(columns)
    try:
        yield
    finally:
        _columns.reset(token)


def narrow() -> bool:
    """Whether figures are one column wide."""
    return _columns.get() == 1


def width() -> float:
    """Inches of a figure."""
    return WIDTHS[_columns.get()]


def option() -> str:
    """What the command line needs to draw this wide; empty for two columns."""
    return ONE if narrow() else ""


def columns_of(command: str) -> int:
    """The columns that a command of a stamp draws for."""
    return 1 if command.endswith(ONE) else 2
