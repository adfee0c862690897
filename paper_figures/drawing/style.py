"""Sizes, colours and line styles of all figures, and saving a figure with reproducible bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from paper_figures.provenance import embedding
from paper_figures.provenance.stamps import one_line

Look = dict[str, Any]  # arguments of matplotlib for the style of lines, dots or text

DPI = 200
# The widths of a figure in inches, by the columns of a page that it spans. They and the letters are those of LaTeX's
# two-column articles: \footnotesize for names, \scriptsize for numbers.
WIDTHS = {1: 3.25, 2: 6.75}
SMALL, NORMAL = 7.0, 8.0  # points
FONTS = {"sans": "DejaVu Sans", "serif": "STIXGeneral"}  # matplotlib has both; STIX resembles Times
STAND_IN = "STAND-IN DATA"
MARGIN, STAND_IN_LINE, PANEL_TITLE = 0.05, 0.17, 0.24  # inches above the panels
MARK = 4.3  # points: 1.5 mm, the size of the smallest mark

# From light to dark. They differ in lightness, so they can be distinguished in grey and with any colour vision.
DEPTHS = {3: "#e09a2f", 4: "#c9504f", 5: "#7d3488", 6: "#1b1446"}
FIVE_SHADES = ("#e8ab3c", "#dd7340", "#b53f5c", "#742a83", "#1b1446")
THREE_SHADES = FIVE_SHADES[::2]
SEVEN_SHADES = ("#efb63f", "#e6913a", "#d66b4a", "#b94a62", "#8f3278", "#5b2380", "#1b1446")
TRUNCATION_LENGTHS = dict(zip((2, 3, 4, 5, 8, 20, 40), SEVEN_SHADES, strict=True))  # of recurrent nets, in time steps
INK, FAINT, GRID, ALARM = "#222222", "#666666", "#e4e4e4", "#a3200d"
# PyTorch is a broad pale line and JAX a thin dark one, so that both are visible where they coincide.
FRAMEWORK_LINES: dict[str, Look] = {
    "torch": {"linewidth": 2.6, "alpha": 0.5, "solid_capstyle": "butt"},
    "jax": {"linewidth": 0.9},
}
DOTTED: Look = {"linewidth": 1.0, "linestyle": (0, (1, 1.5))}
DOT: Look = {"marker": "o", "markersize": MARK}
FRAMEWORK_DOTS: dict[str, Look] = {
    "torch": {"marker": "o", "markersize": 7.5, "alpha": 0.45},
    "jax": {"marker": "o", "markersize": MARK},
}
# For the many individual replicas.
REPLICA_LINES: dict[str, Look] = {
    "torch": {"linewidth": 2.0, "alpha": 0.45, "solid_capstyle": "butt"},
    "jax": {"linewidth": 0.7},
}
REPLICA_DOTS: dict[str, Look] = {
    "torch": {"marker": "o", "markersize": 7.0, "alpha": 0.4, "markeredgewidth": 0},
    "jax": {"marker": "o", "markersize": MARK, "markeredgewidth": 0},
}
BAND: Look = {"alpha": 0.1, "linewidth": 0}  # pale, so that lines stay visible under several bands
FEW_REPLICAS: Look = {"linewidth": 0.4, "alpha": 0.7}
PAPER_LINE: Look = {
    "linewidth": 0.9,
    "linestyle": (0, (4, 2)),
    "marker": "s",
    "markersize": MARK,
    "markerfacecolor": "white",
}
PAPER_MARK: Look = {
    "linestyle": "none",
    "marker": "D",
    "markersize": MARK,
    "markerfacecolor": "white",
    "markeredgewidth": 1.0,
}
DIVERGED_MARK: Look = {"linestyle": "none", "marker": "X", "markersize": 7.5, "markeredgecolor": "white", "zorder": 5}

_RC: dict[Any, Any] = {
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
class Page:
    """How a figure is printed.

    Attributes:
        columns: width of the figure in columns of a page: 1 or 2. Both have the same font sizes, so a one-column figure
            is drawn anew, not shrunk.
        log: whether iterations and errors have logarithmic axes.
        stand_in: whether any of the data replaces the paper's. The figure then says so.
    """

    columns: int = 2
    log: bool = False
    stand_in: bool = False

    @property
    def width(self) -> float:
        """The width of the page's columns in inches."""
        return WIDTHS[self.columns]

    @property
    def above_panels(self) -> float:
        """Inches from the top of the figure to its panels: their titles, and the words about stand-in data."""
        return MARGIN + STAND_IN_LINE * self.stand_in + PANEL_TITLE


def figure_of(axes: Axes) -> Figure:
    """The figure that contains the axes. No figure here has subfigures."""
    assert isinstance(axes.figure, Figure)
    return axes.figure


def is_narrow(figure: Figure) -> bool:
    """Whether a figure is one column wide."""
    return figure.get_figwidth() == WIDTHS[1]


@contextmanager
def applied(font: str = "sans") -> Iterator[None]:
    """A context in which matplotlib uses this style with one of `FONTS`, and ignores the user's settings."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_RC, "font.family": FONTS[font]})
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


def write_beside(axes: Axes, text: str, point: tuple[float, float], offset: tuple[float, float], **look: Any) -> None:
    """Writes a label `offset` points from a data point, with a halo that keeps it legible on top of a line."""
    halo = [patheffects.withStroke(linewidth=2, foreground="white")]
    usual: Look = {"fontsize": SMALL, "annotation_clip": False, "zorder": 6, "path_effects": halo}
    axes.annotate(text, point, xytext=offset, textcoords="offset points", **{**usual, **look})


def name_stand_in(figure: Figure) -> None:
    """Writes above the panels that the data are not the paper's."""
    top, left = 1 - MARGIN / figure.get_figheight(), figure.subplotpars.left
    figure.text(left, top, STAND_IN, va="top", fontsize=NORMAL, fontweight="bold", color=ALARM)
