"""Sizes, colours and line styles of all figures, and saving a figure with reproducible bytes."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.transforms import Affine2D

from paper_figures.provenance import embedding
from paper_figures.provenance.stamps import one_line

Look = dict[str, Any]  # arguments of matplotlib for the style of lines, dots or text

DPI = 200
WIDTHS = {1: 3.35, 2: 7.0}  # inches, by the width of a figure in columns of a page
SMALL, NORMAL = 6.5, 8.0  # points
HEAD_MARGIN, PANEL_TITLE = 0.08, 0.27  # inches
HEAD_LINES = (NORMAL * 1.4 / 72, SMALL * 1.3 * 1.17 / 72)  # inches: height of a line of data, and of a line of settings
READABLE = 4.5  # lowest contrast of text with white

# From light to dark. They differ in lightness, so they can be distinguished in grey and with any colour vision.
DEPTHS = {3: "#e09a2f", 4: "#c9504f", 5: "#7d3488", 6: "#1b1446"}
FIVE_SHADES = ("#e8ab3c", "#dd7340", "#b53f5c", "#742a83", "#1b1446")
THREE_SHADES = FIVE_SHADES[::2]
SEVEN_SHADES = ("#efb63f", "#e6913a", "#d66b4a", "#b94a62", "#8f3278", "#5b2380", "#1b1446")
TRUNCATION_LENGTHS = dict(zip((2, 3, 4, 5, 8, 20, 40), SEVEN_SHADES, strict=True))  # of recurrent nets, in time steps
ALARM_WORD = "STAND-IN"  # a head that starts with this word is red
INK, FAINT, GRID, ALARM = "#222222", "#666666", "#e4e4e4", "#a3200d"
# PyTorch is a broad pale line and JAX a thin dark one with dots, so that both are visible where they coincide.
FRAMEWORK_LINES: dict[str, Look] = {
    "torch": {"linewidth": 2.6, "alpha": 0.55, "solid_capstyle": "butt"},
    "jax": {"linewidth": 0.8, "marker": "o", "markersize": 2.4, "markevery": 0.05},
}
DOTTED: Look = {"linewidth": 1.0, "linestyle": (0, (1, 1.5))}
DOT: Look = {"marker": "o", "markersize": 4.5}
FRAMEWORK_DOTS: dict[str, Look] = {
    "torch": {"marker": "o", "markersize": 7.5, "alpha": 0.45},
    "jax": {"marker": "o", "markersize": 3},
}
# For the many individual replicas.
REPLICA_LINES: dict[str, Look] = {
    "torch": {"linewidth": 2.0, "alpha": 0.45, "solid_capstyle": "butt"},
    "jax": {"linewidth": 0.7},
}
REPLICA_DOTS: dict[str, Look] = {
    "torch": {"marker": "o", "markersize": 4.2, "alpha": 0.4, "markeredgewidth": 0},
    "jax": {"marker": "o", "markersize": 2.0, "markeredgewidth": 0},
}
BAND: Look = {"alpha": 0.1, "linewidth": 0}  # pale, so that lines stay visible under several bands
TWO_REPLICAS: Look = {"linewidth": 0.4, "alpha": 0.7}
PAPER_LINE: Look = {
    "linewidth": 0.9,
    "linestyle": (0, (4, 2)),
    "marker": "s",
    "markersize": 2.6,
    "markerfacecolor": "white",
}
PAPER_MARK: Look = {
    "linestyle": "none",
    "marker": "D",
    "markersize": 4.2,
    "markerfacecolor": "white",
    "markeredgewidth": 1.0,
}
DIVERGED_MARK: Look = {"linestyle": "none", "marker": "X", "markersize": 7.5, "markeredgecolor": "white", "zorder": 5}

_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "paper_figures",
    "path.simplify": False,
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Head:
    """The text above the panels of a figure, and the width of the figure.

    Attributes:
        data: the first line.
        settings: the second line, in small print.
        columns: width of the figure in columns of a page: 1 or 2. Both have the same font sizes, so a one-column figure
            is drawn anew, not shrunk.
    """

    data: str
    settings: str
    columns: int = 2

    @property
    def width(self) -> float:
        """The width of the figure in inches."""
        return WIDTHS[self.columns]


def figure_of(axes: Axes) -> Figure:
    """The figure that contains the axes. No figure here has subfigures."""
    assert isinstance(axes.figure, Figure)
    return axes.figure


def is_narrow(figure: Figure) -> bool:
    """Whether a figure is one column wide."""
    return figure.get_figwidth() == WIDTHS[1]


@contextmanager
def applied() -> Iterator[None]:
    """A context in which matplotlib uses this style and ignores the user's settings."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` inches, without a window."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, title: str, stamp: dict[str, Any]) -> dict[str, bytes]:
    """The figure as .pdf, .svg and .png. The metadata of each file contain `title` and `stamp`, but no date."""
    line, whole = one_line(stamp), embedding.text(stamp)
    pdf, svg, png = io.BytesIO(), io.BytesIO(), io.BytesIO()
    named = {"Title": title, "Creator": "paper_figures"}
    # PdfPages, because savefig accepts only standard entries in the metadata of a .pdf.
    with PdfPages(pdf, metadata={**named, "Subject": line, "CreationDate": None}) as pages:
        pages.infodict().update(Stamp=whole)
        figure.savefig(pages, format="pdf", dpi=DPI)
    entries = {**named, "Description": line, "Source": whole, "Date": None}
    figure.savefig(svg, format="svg", metadata=entries, dpi=DPI)
    entries = {"Title": title, "Description": line, "Stamp": whole, "Software": None}
    figure.savefig(png, format="png", metadata=entries, dpi=DPI)
    return {".pdf": pdf.getvalue(), ".svg": svg.getvalue(), ".png": png.getvalue()}


def contrast(colour: str) -> float:
    """A colour's contrast with white, from 1 (white) to 21 (black), by the Web Content Accessibility Guidelines."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    return 1.05 / (0.05 + sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True)))


def readable(colour: str) -> str:
    """The colour, darkened if needed to make text readable on white. (Lines can be paler than text.)"""
    red, green, blue = to_rgb(colour)
    shares = (share / 100 for share in range(100, 0, -2))
    shades = (to_hex((share * red, share * green, share * blue)) for share in shares)
    return next(shade for shade in shades if contrast(shade) >= READABLE)


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """The nearest positions (least squares) in the same order that are at least `gap` apart, for a column of labels.

    Groups that touch are merged and centred on the mean of their members' original positions.
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
    """Writes a label to the right of each (x, y, text, colour), moved up or down if neighbours would overlap.

    The limits, scales and position of the axes must be final, and a note must be written before. Labels are placed
    above a note at the bottom and below a note at the top.
    """
    points = 72 / axes.figure.dpi
    bottom, middle, top = (axes.transAxes.transform((0, height))[1] * points for height in (0, 0.5, 1))
    notes = [text.get_window_extent().transformed(Affine2D().scale(points)) for text in axes.texts]
    columns: list[list[tuple[float, float, tuple]]] = []  # labels whose horizontal extents may overlap
    for end in sorted(ends, key=lambda end: end[0]):
        x, y = axes.transData.transform(end[:2]) * points
        if not columns or x - columns[-1][-1][0] > max(2, 0.75 * len(columns[-1][-1][2][2])) * SMALL:
            columns.append([])
        columns[-1].append((x, y, end))
    for column in columns:
        places = spread([y for _, y, _ in column], SMALL * 1.05)
        start = min(x for x, _, _ in column)
        beside = [note for note in notes if note.x1 > start]
        floor = max([bottom, *(note.y1 for note in beside if note.y0 < middle)])
        ceiling = min([top, *(note.y0 for note in beside if note.y0 >= middle)])
        sink = max(0, max(places) + SMALL / 2 - ceiling)
        rise = max(0, floor + SMALL / 2 - min(places) + sink) - sink
        for (_, height, (x, y, text, colour)), place in zip(column, places, strict=True):
            text_offset = (offset, place + rise - height)
            look = {"color": readable(colour), "va": "center_baseline", "fontweight": "bold"}
            write_beside(axes, text, (x, y), text_offset, **look)


def write_beside(axes: Axes, text: str, point: tuple[float, float], offset: tuple[float, float], **look: Any) -> None:
    """Writes a label `offset` points from a data point, with a halo that keeps it legible on top of a line."""
    halo = [patheffects.withStroke(linewidth=2, foreground="white")]
    usual: Look = {"fontsize": SMALL, "annotation_clip": False, "zorder": 6, "path_effects": halo}
    axes.annotate(text, point, xytext=offset, textcoords="offset points", **{**usual, **look})


def write_head(figure: Figure, head: Head) -> None:
    """Writes the data (in bold red if stand-in data were used) and the settings above the panels, and makes room."""
    height, (data_line, _) = figure.get_figheight(), HEAD_LINES
    wrapped_data, wrapped_settings = _wrapped(head)
    weight, colour = ("bold", ALARM) if head.data.startswith(ALARM_WORD) else ("normal", INK)
    left, top = figure.subplotpars.left, height - HEAD_MARGIN
    below = top - data_line * (wrapped_data.count("\n") + 1)
    figure.text(left, top / height, wrapped_data, va="top", fontsize=NORMAL, fontweight=weight, color=colour)
    figure.text(left, below / height, wrapped_settings, va="top", fontsize=SMALL, color=FAINT, linespacing=1.3)
    figure.subplots_adjust(top=1 - head_height(head) / height)


def head_height(head: Head) -> float:
    """Inches from the top of a figure to its panels: the head and the titles of the panels."""
    counts = (text.count("\n") + bool(text) for text in _wrapped(head))
    return HEAD_MARGIN + sum(count * line for count, line in zip(counts, HEAD_LINES, strict=True)) + PANEL_TITLE


def _wrapped(head: Head) -> tuple[str, str]:
    # The average width of a letter is about half the font size; more in bold, and more in settings (names and digits).
    points = 72 * (head.width - 0.75)
    letters = points / NORMAL / (0.57 if head.data.startswith(ALARM_WORD) else 0.49)
    return textwrap.fill(head.data, int(letters)), textwrap.fill(head.settings, int(points / SMALL / 0.53))
