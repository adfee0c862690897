"""Where the panels of a figure lie: the grid, the head and legends around it, and the names of its axes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from impls.errors import UserError
from paper_figures.drawing import style
from paper_figures.names import FRAMEWORKS

Sharing = bool | Literal["none", "all", "row", "col"]  # which panels have an axis in common

# Inches.
LEFT, RIGHT, BOTTOM, LEGEND_LINE = 0.6, 0.3, 0.42, 0.17
HANDLE, SPACING = 2.6, 1.4  # of a legend, in heights of its letters
MANY, LOWER = 3, 0.72  # in one column of a page: so many panels side by side are stacked; two are so much lower
BETWEEN_COLUMNS, BETWEEN_ROWS = 0.3, 0.34


def grid(
    head: style.Head,
    rows: int,
    columns: int,
    row_height: float,
    *,
    legend: Sequence[Sequence[Line2D]],
    sharex: Sharing = True,
    sharey: Sharing = True,
    between_rows: float = BETWEEN_ROWS,
    between_columns: float = BETWEEN_COLUMNS,
) -> tuple[Figure, np.ndarray]:
    """A figure with its head, its legend and empty panels [rows, columns] of `row_height` inches.

    In one column of a page, one row of three panels is stacked, and panels side by side are lower.

    Args:
        head: says how wide the figure is.
        legend: its lines, each with its handles; those too long for the figure are broken.
        between_rows, between_columns: inches, where panels need room between them for labels of their own.

    Raises:
        UserError: so many panels have no room in one column.
    """
    narrow = head.columns == 1
    legend, stacked = [part for line in legend for part in _broken(line, head.width)], narrow and columns == MANY
    if narrow:
        if columns > MANY or (stacked and rows > 1):
            raise UserError(f"{columns} panels side by side have no room in one column; leave --columns out.")
        row_height *= LOWER if columns > 1 else 1
    down, across = (columns, 1) if stacked else (rows, columns)
    above = style.head_height(head)
    below = BOTTOM + LEGEND_LINE * len(legend)
    height = above + below + down * row_height + (down - 1) * between_rows
    figure = style.new_figure(head.width, height)
    width = (head.width - LEFT - RIGHT - (across - 1) * between_columns) / across
    panels = figure.subplots(down, across, sharex=sharex, sharey=sharey, squeeze=False).reshape(rows, columns)
    figure.subplots_adjust(
        left=LEFT / head.width,
        right=1 - RIGHT / head.width,
        bottom=below / height,
        wspace=between_columns / width,
        hspace=between_rows / row_height,
    )
    style.write_head(figure, head)
    for number, handles in enumerate(reversed(legend)):
        place: style.Look = {"loc": "lower center", "bbox_to_anchor": (0.5, (0.02 + number * LEGEND_LINE) / height)}
        layout: style.Look = {"ncols": len(handles), "columnspacing": SPACING, "handlelength": HANDLE}
        layout |= {"borderpad": 0, "borderaxespad": 0}
        figure.legend(handles=list(handles), frameon=False, **layout, **place)
    return figure, panels


def frameworks_legend() -> list[Line2D]:
    """One line for each framework, in the order of drawing."""
    return [
        Line2D([], [], label=name, color=style.INK, **style.FRAMEWORK_LINES[key]) for key, name in FRAMEWORKS.items()
    ]


def dots_legend(looks: dict[str, dict], colour: str = style.INK) -> list[Line2D]:
    """One dot for each framework; `looks` are those of the style."""
    return [
        Line2D([], [], label=FRAMEWORKS[key], color=colour, linestyle="none", **look) for key, look in looks.items()
    ]


def label_axes(grid: np.ndarray, x_label: str, *y_labels: str) -> None:
    """Names the outer axes of a grid; one y label serves all rows, or each has its own."""
    narrow = style.is_narrow(grid[0, 0].figure)
    stacked = grid.shape[1] > 1 and grid[0, 0].get_subplotspec().get_geometry()[1] == 1
    for axes in grid[-1, -1:] if stacked else grid[-1, :1] if narrow else grid[-1]:
        axes.set_xlabel(x_label)
    if narrow and not stacked:  # one serves two panels, and stands in the middle
        left, right = (axes.get_position() for axes in grid[-1, [0, -1]])
        grid[-1, 0].xaxis.label.set_x((right.x1 - left.x0) / 2 / left.width)
    for row, label in zip(grid, y_labels if len(y_labels) > 1 else y_labels * len(grid), strict=True):
        for axes in row if stacked else row[:1]:
            axes.set_ylabel(label)
    if narrow:
        for axes in grid.flat:
            title = _to_width(axes, axes.get_title(loc="left"), style.SMALL)
            axes.set_title(title, loc="left", fontsize=style.SMALL, fontweight="bold", pad=4)
    grid[0, 0].figure.align_ylabels(grid[:, 0])


def _broken(handles: Sequence[Line2D], width: float) -> list[list[Line2D]]:
    """A legend's line, broken where it would be longer than the figure, of `width` inches, is wide."""
    lines: list[list[Line2D]] = [[]]
    room = 0.0
    for handle in handles:
        needed = (HANDLE + SPACING + 0.8 + 0.6 * len(str(handle.get_label()))) * style.SMALL / 72
        if needed > room:
            lines, room = ([*lines, []] if lines[-1] else lines), width - 0.1
        lines[-1].append(handle)
        room -= needed
    return lines


def _to_width(axes: Axes, text: str, size: float) -> str:
    """Broken to lines no longer than the panel and the gap beside it."""
    inches = axes.get_position().width * style.figure_of(axes).get_figwidth() + BETWEEN_COLUMNS
    return textwrap.fill(text, int(inches * 72 / size / 0.62))
