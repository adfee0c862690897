"""Panels of curves: logarithmic axes with plain ticks, lines with intervals for both frameworks, and notes."""

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
Found = dict[str, dict[str, list]]  # by framework and remark: values of a family

NARROWER = 2.5  # how many times narrower panels are in a one-column figure; labels keep their size
TICK_STEPS = ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,))


@dataclass(frozen=True)
class Family:
    """The curves of a panel, distinguished by colour: one for each value of a column of the points.

    Attributes:
        field: the column.
        colours: by value, in the legend's order.
        wording: a phrase with {} in place of one or several values: "{} layers".
        names: printed names of values, if these are not printed as they are.
    """

    field: str
    colours: dict[Any, str]
    wording: str = "{}"
    names: dict[Any, str] = dataclasses.field(default_factory=dict)

    def name(self, value: Any) -> str:
        return self.names.get(value, str(value))

    def listed(self, values: Sequence[Any]) -> str:
        """Several values in words; "all" for all values of the family."""
        if len(values) == len(self.colours):
            return "all"
        return self.wording.format(", ".join(map(self.name, values)))

    def grouped(self, values_by_remark: dict[str, list]) -> str:
        """Values in words, each group with its remark: "3, 5 layers (1 of 3), 6 layers (3 of 3)"."""
        return ", ".join(f"{self.listed(values)}{remark}" for remark, values in values_by_remark.items())

    def legend(self) -> list[Line2D]:
        """A coloured line for each value. The wording is printed once, around all values."""
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
    """Sets a logarithmic x axis that spans the points' iterations, with `label_room` of its width free to the right.

    Args:
        x: the column on the axis, instead of the iterations.
        unit: roughly, the iterations in one unit of `x`. It sets the axis of a figure without points.
    """
    after_start = points[x][points["iteration"] > 0]
    low, high = (
        (after_start.min(), after_start.max()) if len(after_start) else (1_000 / unit, paper_iterations() / unit)
    )
    # A single evaluation would give the axis zero length.
    low, high = low * 0.9, max(high, low * 2)
    label_room = min(0.5, label_room * (NARROWER if style.is_narrow(style.figure_of(axes)) else 1))
    axes.set_xscale("log")
    axes.set_xlim(low, high * (high / low) ** (label_room / (1 - label_room)))
    plain_ticks(axes.xaxis)


def below_top(axes: Axes, points: pd.DataFrame) -> pd.DataFrame:
    """The points below the top of a panel, for an x axis that begins where the curves enter the panel."""
    return points[points["value"] <= axes.get_ylim()[1]]


def log_values(axes: Axes, points: pd.DataFrame, headroom: float = 1.4, footroom: float = 0.8) -> None:
    """Sets a logarithmic y axis from `footroom` times the lowest value to `headroom` times the highest final value.

    Higher values, such as those at the start of training, are cut off; infinite headroom shows them all. A value of
    zero is below any such axis: its line leaves the panel.
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
    """Sets a linear y axis that spans the values, and at least `least` on both sides of `reference`.

    `least` keeps negligible differences from filling a panel. Intervals may extend beyond the panel.
    """
    values = [reference - least, reference + least, *points["value"][points["iteration"] > 0].dropna()]
    margin = 0.05 * (max(values) - min(values))
    axes.set_ylim(min(values) - margin, max(values) + margin)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def plain_ticks(axis: Axis) -> None:
    """Labels a logarithmic axis with plain numbers, as many as fit. Its limits must be final."""
    low, high = axis.get_view_interval()
    width, height = axis.axes.get_position().size * style.figure_of(axis.axes).get_size_inches()
    # The width of a digit is about 0.6 times the font size.
    inches, needed = (
        (width, (len(plain_number(high)) + 1) * 0.6 * style.SMALL / 72) if isinstance(axis, XAxis) else (height, 0.28)
    )
    for steps in TICK_STEPS:
        chosen = np.log10([step * 10.0**n for n in range(-12, 12) for step in steps if low <= step * 10.0**n <= high])
        if len(chosen) < 2 or np.diff(chosen).min() * inches / np.log10(high / low) > needed:
            axis.set_major_locator(LogLocator(subs=steps, numticks=50))
            break
    else:  # not even all powers of ten fit: label every second one
        axis.set_major_locator(FixedLocator((10 ** chosen[::2]).tolist()))
    axis.set_minor_locator(LogLocator(subs=range(2, 10), numticks=50))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
    axis.set_minor_formatter(NullFormatter())


def plain_number(value: float) -> str:
    """`value` as text without an exponent: 1,000 and 0.00001, never 1e-05."""
    if value >= 1000:
        return f"{value:,.0f}"
    return np.format_float_positional(value, precision=6, fractional=False, trim="-")


def draw_curves(
    axes: Axes, points: pd.DataFrame, family: Family, note: str = "lower left", x: str = "iteration"
) -> list[End]:
    """Draws our curves of one panel for both frameworks, with intervals. A cross marks a curve's first divergence.

    A note in the corner `note` (none if it is empty) lists curves with diverged replicas, curves of a single replica,
    and missing curves. The x axis shows the column `x`. The limits of the axes must be final.

    Returns:
        A label for the last value of each colour.
    """
    axes.grid(axis="y", color=style.GRID, linewidth=0.5)
    points = points[points["iteration"] > 0]  # iteration 0 cannot be shown on a log scale
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
            finite = curve.dropna(subset="value")
            if len(finite):  # matplotlib cannot put marks on a line without points
                axes.plot(finite[x], finite["value"], color=colour, **style.FRAMEWORK_LINES[framework])
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
            y = max(last["value"].mean(), axes.get_ylim()[0])  # zero cannot be shown on a log scale
            ends.append((last[x].iloc[0], y, family.name(value), colour))
    if note:
        write_failures(axes, missing, diverged, family, note, single)
    return ends


def join_ends(axes: Axes, ours: Sequence[End], papers: Sequence[End], mark: str) -> list[End]:
    """The labels of our curves and of the paper's.

    Two labels with the same text become one if they are close together. The paper's other labels begin with `mark` if
    one of them is near the x position of one of ours.
    """

    def place(end: End) -> np.ndarray:
        return axes.transData.transform(end[:2]) * 72 / axes.figure.dpi  # in points

    placed = {end[2]: place(end) for end in ours}
    apart = [end for end in papers if end[2] not in placed or np.abs(place(end) - placed[end[2]]).max() > style.SMALL]
    our_xs = [x for x, _ in placed.values()]
    near = any(abs(place(end)[0] - x) <= 2 * style.SMALL for end in apart for x in our_xs)
    return [*ours, *((x, y, f"{mark} {text}" if near else text, colour) for x, y, text, colour in apart)]


def write_failures(
    axes: Axes, missing: Found, diverged: Found, family: Family, corner: str = "lower left", single: Found | None = None
) -> None:
    """Writes a note about diverged replicas, curves of a single replica (without an interval), and missing curves."""
    lines = {"× diverged": diverged, "one replica": single or {}, "missing": missing}
    write_note(axes, [f"{word}: {_in_words(found, family)}" for word, found in lines.items() if found], corner)


def count_in_brackets(diverged: int, replicas: int) -> str:
    """The number of diverged replicas as " (1 of 3)", without a possible line break."""
    return f" ({diverged} of {replicas})".replace(" ", "\N{NO-BREAK SPACE}")


def draw_dotted(axes: Axes, points: pd.DataFrame, family: Family) -> None:
    """Draws curves for comparison as thin dotted lines in the family's colours, the same for both frameworks."""
    shown = points[(points["obtained"] == "run") & (points["iteration"] > 0)]
    for (value, _), curve in shown.groupby([family.field, "source"]):
        axes.plot(curve["iteration"], curve["value"], color=family.colours[value], zorder=4, **style.DOTTED)


def draw_dot(axes: Axes, x: float, row: pd.Series, **look: Any) -> None:
    """Draws a mean with its interval (for two replicas, ticks at their values), and a cross if a replica diverged.

    Draws nothing if all replicas diverged. The limits of the axes must be final.
    """
    if np.isnan(row["value"]):
        return
    axes.plot(x, row["value"], zorder=3, **look)
    low, high = drawn_range(row)
    ends = [max(low, axes.get_ylim()[0]), high]  # an interval can extend below zero
    width, faint = 0.25 * look["markersize"], look.get("alpha")
    shown: style.Look = {"linewidth": width}
    if row["n"] == FEW:
        shown = {"linestyle": "none", "marker": "_", "markersize": 2 * look["markersize"], "markeredgewidth": width}
    axes.plot([x, x], ends, color=look["color"], alpha=faint, **shown)
    if row["n_diverged"]:
        axes.plot(x, row["value"], color=look["color"], **style.DIVERGED_MARK)


def write_note(axes: Axes, lines: Sequence[str], corner: str = "lower left") -> None:
    """Writes small print in a corner of a panel ("lower left", "upper right", ...), wrapped to the panel's width."""
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
    """Draws a band over the interval; for two replicas, thin lines at their values."""
    low, high = drawn_range(curve)
    low = low.clip(lower=axes.get_ylim()[0])
    band = (curve["n"] > FEW).to_numpy()
    axes.fill_between(curve[x], low, high, where=band, color=colour, **style.BAND)
    if not band.all():
        for end in (low, high):
            axes.plot(curve[x], end.mask(band), color=colour, zorder=1.8, **style.TWO_REPLICAS)


def _mark_divergence(axes: Axes, curve: pd.DataFrame, colour: str, x: str) -> str:
    """Draws a cross at the last point before the first divergence; returns the number of diverged as " (1 of 3)"."""
    before = curve[curve["n_diverged"] == 0]
    if len(before):
        axes.plot(before[x].iloc[-1], before["value"].iloc[-1], color=colour, **style.DIVERGED_MARK)
    last = curve.iloc[-1]
    return count_in_brackets(int(last["n_diverged"]), int(last["n"] + last["n_diverged"]))


def _in_words(found: Found, family: Family) -> str:
    """Values by framework and remark, in words: "3, 5 layers", or "PyTorch all; JAX 3 layers (1 of 3)"."""
    texts = {name: family.grouped(values_by_remark) for name, values_by_remark in found.items()}
    if len(texts) == len(FRAMEWORKS) and len(set(texts.values())) == 1:
        return texts.popitem()[1]
    return "; ".join(f"{name}\N{NO-BREAK SPACE}{text}" for name, text in texts.items())
