"""The layout of a figure: its grid of panels, the legends below the grid, and the axis labels."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from impls.errors import UserError
from paper_figures.drawing import style
from paper_figures.names import FRAMEWORKS

Sharing = bool | Literal["none", "all", "row", "col"]  # which panels share an axis

# Inches.
LEFT, RIGHT, BOTTOM, LEGEND_LINE = 0.6, 0.25, 0.45, 0.17
WIDEST = 4.0  # of a panel; with one panel alone, a figure is narrower than its page
HANDLE, SPACING = 2.6, 1.4  # length of a legend's handles and space between its entries, in font sizes
# In a one-column figure, MANY panels side by side are stacked, and the height of two or more is multiplied by LOWER.
MANY, LOWER = 3, 0.72
BETWEEN_COLUMNS, BETWEEN_ROWS = 0.3, 0.34


def grid(
    page: style.Page,
    rows: int,
    columns: int,
    row_height: float,
    *,
    legend: Sequence[Sequence[Line2D]],
    sharex: Sharing = True,
    sharey: Sharing = True,
    between_rows: float = BETWEEN_ROWS,
    between_columns: float = BETWEEN_COLUMNS,
    left: float = LEFT,
) -> tuple[Figure, np.ndarray]:
    """A figure with its legend and empty panels [rows, columns] of `row_height` inches.

    In a one-column figure, a single row of three panels is stacked, and two or more panels per row are lower.

    Args:
        legend: the lines of the legend, each a list of handles. Lines that are too long for the figure are wrapped.
        between_rows, between_columns: inches between panels; more if the labels of the panels need it.
        left: inches left of the panels, for the labels there.

    Raises:
        UserError: the panels do not fit in one column.
    """
    narrow = page.columns == 1
    stacked = narrow and columns == MANY
    if narrow:
        if columns > MANY or (stacked and rows > 1):
            raise UserError(f"{columns} panels side by side do not fit in one column; omit --columns.")
        row_height *= LOWER if columns > 1 else 1
    down, across = (columns, 1) if stacked else (rows, columns)
    gaps = left + RIGHT + (across - 1) * between_columns
    total = min(page.width, gaps + across * WIDEST)
    legend = [part for line in legend for part in _wrapped_handles(line, total)]
    below = BOTTOM + LEGEND_LINE * len(legend)
    height = page.above_panels + below + down * row_height + (down - 1) * between_rows
    figure = style.new_figure(total, height)
    panels = figure.subplots(down, across, sharex=sharex, sharey=sharey, squeeze=False).reshape(rows, columns)
    figure.subplots_adjust(
        left=left / total,
        right=1 - RIGHT / total,
        bottom=below / height,
        top=1 - page.above_panels / height,
        wspace=between_columns * across / (total - gaps),
        hspace=between_rows / row_height,
    )
    if page.stand_in:
        style.name_stand_in(figure)
    for number, handles in enumerate(reversed(legend)):
        place: style.Look = {"loc": "lower center", "bbox_to_anchor": (0.5, (0.02 + number * LEGEND_LINE) / height)}
        layout: style.Look = {"ncols": len(handles), "columnspacing": SPACING, "handlelength": HANDLE}
        layout |= {"borderpad": 0, "borderaxespad": 0}
        figure.legend(handles=list(handles), frameon=False, **layout, **place)
    return figure, panels


def no_run(page: style.Page) -> Figure:
    """A figure without panels, which says that there is no run to draw."""
    figure = style.new_figure(page.width, 0.6)
    figure.text(0.5, 0.5, "no run to draw yet", ha="center", va="center", color=style.FAINT)
    return figure


def frameworks_legend(points: pd.DataFrame, looks: dict[str, dict] = style.FRAMEWORK_LINES) -> list[Line2D]:
    """A line for each framework that has a run among `points`, in drawing order.

    Args:
        looks: styles by framework; those of lines, or `style.FRAMEWORK_DOTS` or `style.REPLICA_DOTS`.
    """
    ran = set(points["source"])
    entries: list[tuple[str, style.Look]] = [
        (FRAMEWORKS[key], {"linestyle": "none" if "marker" in look else "-", **look})
        for key, look in looks.items()
        if key in ran
    ]
    return [Line2D([], [], label=name, color=style.INK, **look) for name, look in entries]


def label_axes(grid: np.ndarray, x_label: str, *y_labels: str) -> None:
    """Labels the outer axes of a grid. There is one y label for all rows, or one for each."""
    narrow = style.is_narrow(grid[0, 0].figure)
    stacked = grid.shape[1] > 1 and grid[0, 0].get_subplotspec().get_geometry()[1] == 1
    together = (narrow or grid.shape[1] > MANY) and not stacked
    for axes in grid[-1, -1:] if stacked else grid[-1, :1] if together else grid[-1]:
        axes.set_xlabel(x_label)
    if together:  # one label for all panels of the row, below their middle
        left, right = (axes.get_position() for axes in grid[-1, [0, -1]])
        grid[-1, 0].xaxis.label.set_x((right.x1 - left.x0) / 2 / left.width)
    for row, label in zip(grid, y_labels if len(y_labels) > 1 else y_labels * len(grid), strict=True):
        for axes in row if stacked else row[:1]:
            axes.set_ylabel(label)
    if narrow:
        for axes in grid.flat:
            title = _wrapped_title(axes, axes.get_title(loc="left"), style.SMALL)
            axes.set_title(title, loc="left", fontsize=style.SMALL, fontweight="bold", pad=4)
    grid[0, 0].figure.align_ylabels(grid[:, 0])


def _wrapped_handles(handles: Sequence[Line2D], width: float) -> list[list[Line2D]]:
    """The handles of a legend's line, split into as few lines as fit `width` inches, all about as long."""
    fewest = _split(handles, width)
    shorter = (_split(handles, share * width) for share in np.linspace(0.3, 1, 15))
    return next((lines for lines in shorter if len(lines) == len(fewest)), fewest)


def _split(handles: Sequence[Line2D], width: float) -> list[list[Line2D]]:
    lines: list[list[Line2D]] = [[]]
    room = 0.0
    for handle in handles:
        needed = (HANDLE + SPACING + 0.8 + 0.6 * len(str(handle.get_label()))) * style.SMALL / 72
        if needed > room:
            lines, room = ([*lines, []] if lines[-1] else lines), width - 0.1
        lines[-1].append(handle)
        room -= needed
    return lines


def _wrapped_title(axes: Axes, text: str, size: float) -> str:
    """`text` wrapped to the width of the panel and the gap beside it."""
    inches = axes.get_position().width * style.figure_of(axes).get_figwidth() + BETWEEN_COLUMNS
    return textwrap.fill(text, int(inches * 72 / size / 0.62))
