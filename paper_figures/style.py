"""One place for sizes, colours and line styles, and for saving a figure to the same bytes every time."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

TWO_COLUMNS = 7.0  # inches
DPI = 200
SMALL, NORMAL = 6.5, 8.0  # points

# From light to dark: told apart by lightness alone, so in grey and with any colour vision.
DEPTHS = {3: "#e09a2f", 4: "#c9504f", 5: "#7d3488", 6: "#1b1446"}
INK, FAINT, GRID, ALARM = "#222222", "#666666", "#e4e4e4", "#a3200d"
# PyTorch is a broad pale line and JAX a thin dark one with dots, so that both show where they coincide.
FRAMEWORK_LINES = {
    "torch": {"linewidth": 2.6, "alpha": 0.55, "solid_capstyle": "butt"},
    "jax": {"linewidth": 0.8, "marker": "o", "markersize": 2.4, "markevery": 0.05},
}
PAPER_LINE = {"linewidth": 0.9, "linestyle": (0, (4, 2)), "marker": "s", "markersize": 2.6, "markerfacecolor": "white"}
PAPER_MARK = {"linestyle": "none", "marker": "D", "markersize": 4.2, "markerfacecolor": "white", "markeredgewidth": 1.0}
DIVERGED_MARK = {"linestyle": "none", "marker": "X", "markersize": 7.5, "markeredgecolor": "white", "zorder": 5}

_RC = {
    "font.family": "DejaVu Sans",
    "font.size": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "paper_figures",
    "path.simplify": False,
}


@contextmanager
def applied() -> Iterator[None]:
    """Within it matplotlib uses this style and nothing of the user's own settings."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` inches that belongs to no window."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, title: str, source: str) -> dict[str, bytes]:
    """The figure as .pdf, .svg and .png, with `title` and `source` in each file's metadata and no date in any."""
    metadata = {
        "pdf": {"Title": title, "Subject": source, "Creator": "paper_figures", "CreationDate": None},
        "svg": {"Title": title, "Description": source, "Creator": "paper_figures", "Date": None},
        "png": {"Title": title, "Description": source, "Software": None},
    }
    contents = {}
    for kind, entries in metadata.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, metadata=entries, dpi=DPI)
        contents[f".{kind}"] = buffer.getvalue()
    return contents


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """The nearest positions (least squares) in the same order that are at least `gap` apart; for labels of a column.

    Groups that touch are merged and centred on the mean of where their members wanted to be.
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    groups: list[tuple[float, list[int]]] = []  # (centre, members from below)
    for i in order:
        centre, members = positions[i], [i]
        while groups and groups[-1][0] + gap * (len(groups[-1][1]) + len(members)) / 2 > centre:
            below_centre, below = groups.pop()
            centre = (below_centre * len(below) + centre * len(members)) / (len(below) + len(members))
            members = below + members
        groups.append((centre, members))
    placed = [0.0] * len(positions)
    for centre, members in groups:
        for rank, i in enumerate(members):
            placed[i] = centre + gap * (rank - (len(members) - 1) / 2)
    return placed


def label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]], offset: float = 5) -> None:
    """Writes a label right of each (x, y, text, colour), moved up or down where neighbours would overlap.

    Limits, scales and position of the axes must be final. A halo keeps a label legible on top of a line.
    """
    points = 72 / axes.figure.dpi
    floor = axes.transAxes.transform((0, 0))[1] * points + SMALL / 2
    columns: list[list[tuple[float, float, tuple]]] = []  # labels whose horizontal extents may overlap
    for end in sorted(ends, key=lambda end: end[0]):
        x, y = axes.transData.transform(end[:2]) * points
        if not columns or x - columns[-1][-1][0] > 2 * SMALL:
            columns.append([])
        columns[-1].append((x, y, end))
    for column in columns:
        places = spread([y for _, y, _ in column], SMALL * 1.05)
        rise = max(0, floor - min(places))
        for (_, height, (x, y, text, colour)), place in zip(column, places, strict=True):
            label = axes.annotate(
                text, (x, y), xytext=(offset, place + rise - height), textcoords="offset points", color=colour
            )
            label.set(va="center_baseline", fontsize=SMALL, fontweight="bold", annotation_clip=False, zorder=6)
            label.set_path_effects([patheffects.withStroke(linewidth=2, foreground="white")])


def write_head(figure: Figure, data: str, settings: str) -> None:
    """Above the panels: the data (in red and bold where it is a stand-in) and the settings; makes room for them."""
    alarm = data.startswith("STAND-IN")
    left, top = figure.subplotpars.left, 1 - 0.08 / figure.get_figheight()
    weight, colour = ("bold", ALARM) if alarm else ("normal", INK)
    wrapped = textwrap.fill(data, 98 if alarm else 115)
    line = NORMAL * 1.4 / 72 / figure.get_figheight()
    figure.text(left, top, wrapped, va="top", fontsize=NORMAL, fontweight=weight, color=colour)
    below = top - line * (1 + wrapped.count("\n"))
    small = textwrap.fill(settings, 140)
    figure.text(left, below, small, va="top", fontsize=SMALL, color=FAINT, linespacing=1.3)
    figure.subplots_adjust(top=below - line * (1 + small.count("\n") + 1.6))  # 1.6: the panels' titles
