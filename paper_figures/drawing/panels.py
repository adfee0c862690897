"""Panels of curves: the grid, logarithmic axes with plain ticks, lines with intervals in both frameworks, notes."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from paper_figures.drawing import style
from paper_figures.drawing.curve_points import FEW, at_the_end, drawn_range, paper_iterations
from paper_figures.names import FRAMEWORKS

End = tuple[float, float, str, str]  # x, y, text and colour of a label at the end of a line
Found = dict[str, dict[str, list]]  # by framework and by what is said of them: values of a family

NARROWER = 2.5  # how many times a panel is in one column of a page, where its labels are as long as in two
TICK_STEPS = ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,))


@dataclass(frozen=True)
class Family:
    """Curves of one panel, told apart by colour: the points in which `field` has each of the values.

    Attributes:
        colours: by value, in the legend's order.
        wording: what the values are, with {} for one or several of them: "{} layers".
        names: of values that are not printed as they are.
    """

    field: str
    colours: dict[Any, str]
    wording: str = "{}"
    names: dict[Any, str] = dataclasses.field(default_factory=dict)

    def name(self, value: Any) -> str:
        return self.names.get(value, str(value))

    def listed(self, values: Sequence[Any]) -> str:
        """Several values in words; "all" where they are all that there are."""
        if len(values) == len(self.colours):
            return "all"
        return self.wording.format(", ".join(map(self.name, values)))

    def grouped(self, values_by_remark: dict[str, list]) -> str:
        """Values in words, with what is said of them: "3, 5 layers (1 of 3), 6 layers (3 of 3)"."""
        return ", ".join(f"{self.listed(values)}{remark}" for remark, values in values_by_remark.items())

    def legend(self) -> list[Line2D]:
        """A coloured line for each value; the wording stands once, around all of them."""
        before, after = self.wording.split("{}")
        texts = [self.name(value) for value in self.colours]
        texts[0], texts[-1] = before + texts[0], texts[-1] + after
        return [
            Line2D([], [], label=text, color=colour, linewidth=2)
            for text, colour in zip(texts, self.colours.values(), strict=True)
        ]


def log_iterations(
    axes: Axes, points: pd.DataFrame, label_room: float = 0.06, x: str = "iteration", unit: float = 1
) -> None:
    """A logarithmic x axis that holds the points' iterations, and `label_room` of its width right of them.

    Args:
        x: the column that lies along the axis in place of the iterations.
        unit: how many iterations one of it is, roughly: for the axis of a figure without points.
    """
    after_start = points[x][points["iteration"] > 0]
    low, high = (
        (after_start.min(), after_start.max()) if len(after_start) else (1_000 / unit, paper_iterations() / unit)
    )
    # One evaluation alone would have an axis of no length.
    low, high = low * 0.9, max(high, low * 2)
    label_room = min(0.5, label_room * (NARROWER if style.is_narrow(style.figure_of(axes)) else 1))
    axes.set_xscale("log")
    axes.set_xlim(low, high * (high / low) ** (label_room / (1 - label_room)))
    plain_ticks(axes.xaxis)


def below_top(axes: Axes, points: pd.DataFrame) -> pd.DataFrame:
    """The points that are below the top of a panel, for an x axis that begins where the curves do."""
    return points[points["value"] <= axes.get_ylim()[1]]


def log_values(axes: Axes, points: pd.DataFrame, headroom: float = 1.4, footroom: float = 0.8) -> None:
    """A logarithmic y axis from `footroom` times the least value to `headroom` times the worst end of any curve.

    Higher values, those that nets start from, are cut off; infinite headroom shows them all. A value of zero lies
    below every such axis: its line leaves the panel.
    """
    shown = points[(points["iteration"] > 0) & (points["value"] > 0)]
    ends = at_the_end(shown)["value"]
    low, high = 1, 100
    if len(shown):
        low, high = shown["value"].min() * footroom, min(shown["value"].max() * 1.25, ends.max() * headroom)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    plain_ticks(axes.yaxis)


def linear_values(axes: Axes, points: pd.DataFrame, reference: float, least: float) -> None:
    """A linear y axis that holds the points' values, a reference and `least` to both sides of it; intervals may leave.

    `least` keeps differences that mean nothing from filling a panel.
    """
    values = [reference - least, reference + least, *points["value"][points["iteration"] > 0].dropna()]
    margin = 0.05 * (max(values) - min(values))
    axes.set_ylim(min(values) - margin, max(values) + margin)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def plain_ticks(axis: Axis) -> None:
    """Ticks of a logarithmic axis as plain numbers, as many as there is room for. Limits must be final."""
    low, high = axis.get_view_interval()
    width, height = axis.axes.get_position().size * style.figure_of(axis.axes).get_size_inches()
    # A digit is about 0.6 times as wide as its font is high.
    inches, needed = (
        (width, (len(plain_number(high)) + 1) * 0.6 * style.SMALL / 72) if isinstance(axis, XAxis) else (height, 0.28)
    )
    for steps in TICK_STEPS:
        chosen = np.log10([step * 10.0**n for n in range(-12, 12) for step in steps if low <= step * 10.0**n <= high])
        if len(chosen) < 2 or np.diff(chosen).min() * inches / np.log10(high / low) > needed:
            axis.set_major_locator(LogLocator(subs=steps, numticks=50))
            break
    else:  # not even powers of ten have room: every second one
        axis.set_major_locator(FixedLocator((10 ** chosen[::2]).tolist()))
    axis.set_minor_locator(LogLocator(subs=range(2, 10), numticks=50))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
    axis.set_minor_formatter(NullFormatter())


def plain_number(value: float) -> str:
    """1,000 and 0.00001, never 1e-05."""
    if value >= 1000:
        return f"{value:,.0f}"
    return np.format_float_positional(value, precision=6, fractional=False, trim="-")


def draw_curves(
    axes: Axes, points: pd.DataFrame, family: Family, note: str = "lower left", x: str = "iteration"
) -> list[End]:
    """Our curves of one panel, in both frameworks, with intervals; crosses where the first replica of one diverged.

    A note in the corner `note` (none where it is empty) names those that diverged, those of one replica, and those that
    are missing. The column `x` lies along the x axis. Limits of the axes must be final.

    Returns:
        A label for the last value of each colour.
    """
    axes.grid(axis="y", color=style.GRID, linewidth=0.5)
    points = points[points["iteration"] > 0]  # iteration 0 has no place on a log scale
    missing: Found = {}
    diverged: Found = {}
    single: Found = {}
    ends: list[End] = []
    for framework, framework_name in FRAMEWORKS.items():
        for value, colour in family.colours.items():
            curve = points[(points[family.field] == value) & (points["source"] == framework)]
            if curve.empty:
                missing.setdefault(framework_name, {}).setdefault("", []).append(value)
                continue
            axes.plot(curve[x], curve["value"], color=colour, **style.FRAMEWORK_LINES[framework])
            _draw_range(axes, curve, colour, x)
            if curve["n_diverged"].any():
                count = _mark_divergence(axes, curve, colour, x)
                diverged.setdefault(framework_name, {}).setdefault(count, []).append(value)
            elif curve["n"].iloc[-1] == 1:
                single.setdefault(framework_name, {}).setdefault("", []).append(value)
    for value, colour in family.colours.items():
        curve = points[(points[family.field] == value) & (points["obtained"] == "run")].dropna(subset="value")
        last = curve[curve["iteration"] == curve["iteration"].max()]
        if len(last):
            y = max(last["value"].mean(), axes.get_ylim()[0])  # zero lies below a logarithmic axis
            ends.append((last[x].iloc[0], y, family.name(value), colour))
    if note:
        write_failures(axes, missing, diverged, family, note, single)
    return ends


def join_ends(axes: Axes, ours: Sequence[End], papers: Sequence[End], mark: str) -> list[End]:
    """Labels of both: one where ends of the same text lie together, and the paper's with `mark` where both are near."""

    def place(end: End) -> np.ndarray:
        return axes.transData.transform(end[:2]) * 72 / axes.figure.dpi  # in points

    own = {end[2]: place(end) for end in ours}
    apart = [end for end in papers if end[2] not in own or np.abs(place(end) - own[end[2]]).max() > style.SMALL]
    column = {text: x for text, (x, _) in own.items()}
    near = any(abs(place(end)[0] - x) <= 2 * style.SMALL for end in apart for x in column.values())
    return [*ours, *((x, y, f"{mark} {text}" if near else text, colour) for x, y, text, colour in apart)]


def write_failures(
    axes: Axes, missing: Found, diverged: Found, family: Family, corner: str = "lower left", single: Found | None = None
) -> None:
    """A note of what diverged, what is one replica's, so has no interval, and what is missing."""
    lines = {"× diverged": diverged, "one replica": single or {}, "missing": missing}
    write_note(axes, [f"{word}: {_in_words(found, family)}" for word, found in lines.items() if found], corner)


def count_in_brackets(diverged: int, replicas: int) -> str:
    """How many diverged, as " (1 of 3)", which is not broken at the end of a line."""
    return f" ({diverged} of {replicas})".replace(" ", "\N{NO-BREAK SPACE}")


def draw_dotted(axes: Axes, points: pd.DataFrame, family: Family) -> None:
    """Curves to compare with, thin and dotted, in the colours of a family and alike for both frameworks."""
    shown = points[(points["obtained"] == "run") & (points["iteration"] > 0)]
    for (value, _), curve in shown.groupby([family.field, "source"]):
        axes.plot(curve["iteration"], curve["value"], color=family.colours[value], zorder=4, **style.DOTTED)


def draw_dot(axes: Axes, x: float, row: pd.Series, **look: Any) -> None:
    """One mean with its interval (ticks at the replicas where there are two), crossed where a replica diverged.

    Nothing where all did. Limits of the axes must be final.
    """
    if np.isnan(row["value"]):
        return
    axes.plot(x, row["value"], zorder=3, **look)
    low, high = drawn_range(row)
    ends = [max(low, axes.get_ylim()[0]), high]  # an interval may reach below zero
    width, faint = 0.25 * look["markersize"], look.get("alpha")
    shown: style.Look = {"linewidth": width}
    if row["n"] == FEW:
        shown = {"linestyle": "none", "marker": "_", "markersize": 2 * look["markersize"], "markeredgewidth": width}
    axes.plot([x, x], ends, color=look["color"], alpha=faint, **shown)
    if row["n_diverged"]:
        axes.plot(x, row["value"], color=look["color"], **style.DIVERGED_MARK)


def write_note(axes: Axes, lines: Sequence[str], corner: str = "lower left") -> None:
    """Small print in a corner of a panel ("lower left", "upper right", ...), wrapped to its width."""
    width = axes.get_position().width * style.figure_of(axes).get_figwidth()
    text = "\n".join(textwrap.fill(line, int(width * 19)) for line in lines)
    if not text:
        return
    vertical, horizontal = corner.split()
    x, y = {"left": 0.015, "right": 0.985}[horizontal], {"lower": 0.015, "upper": 0.985}[vertical]
    place: style.Look = {
        "ha": horizontal,
        "va": {"lower": "bottom", "upper": "top"}[vertical],
        "transform": axes.transAxes,
    }
    box: style.Look = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.5}
    axes.text(x, y, text, fontsize=style.SMALL, color=style.FAINT, linespacing=1.3, bbox=box, zorder=7, **place)


def _draw_range(axes: Axes, curve: pd.DataFrame, colour: str, x: str) -> None:
    """A band over the interval; where there are two replicas, thin lines along them."""
    low, high = drawn_range(curve)
    low = low.clip(lower=axes.get_ylim()[0])
    band = (curve["n"] > FEW).to_numpy()
    axes.fill_between(curve[x], low, high, where=band, color=colour, **style.BAND)
    if not band.all():
        for end in (low, high):
            axes.plot(curve[x], end.mask(band), color=colour, zorder=1.8, **style.TWO_REPLICAS)


def _mark_divergence(axes: Axes, curve: pd.DataFrame, colour: str, x: str) -> str:
    """Crosses the last point before the first replica diverged; returns how many did, as " (1 of 3)"."""
    whole = curve[curve["n_diverged"] == 0]
    if len(whole):
        axes.plot(whole[x].iloc[-1], whole["value"].iloc[-1], color=colour, **style.DIVERGED_MARK)
    last = curve.iloc[-1]
    return count_in_brackets(int(last["n_diverged"]), int(last["n"] + last["n_diverged"]))


def _in_words(found: Found, family: Family) -> str:
    """Values by framework and by what is said of them: "3, 5 layers", or "PyTorch all; JAX 3 layers (1 of 3)"."""
    texts = {name: family.grouped(values_by_remark) for name, values_by_remark in found.items()}
    if len(texts) == len(FRAMEWORKS) and len(set(texts.values())) == 1:
        return texts.popitem()[1]
    return "; ".join(f"{name}\N{NO-BREAK SPACE}{text}" for name, text in texts.items())
