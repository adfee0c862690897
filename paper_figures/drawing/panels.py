"""Panels of curves: axes with plain ticks, and lines with intervals for both frameworks."""

from __future__ import annotations

import dataclasses
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
from paper_figures.drawing.curve_points import REPLICAS, at_the_end, ours
from paper_figures.names import FRAMEWORKS

TICK_STEPS = ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,))
ROUND = [1, 2, 5, 10]  # steps of the ticks of linear axes


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

    def drawn(self, points: pd.DataFrame) -> Family:
        """The family without the values that none of `points` has."""
        found = set(points[self.field])
        return dataclasses.replace(self, colours={key: self.colours[key] for key in self.colours if key in found})

    def legend(self) -> list[Line2D]:
        """A coloured line for each value. The wording is printed once, around all values."""
        before, after = self.wording.split("{}")
        texts = [self.name(value) for value in self.colours]
        texts[0] = before + texts[0]
        texts[-1] += after
        return [
            Line2D([], [], label=text, color=colour, linewidth=2)
            for text, colour in zip(texts, self.colours.values(), strict=True)
        ]


def iterations_axis(axes: Axes, points: pd.DataFrame, *, log: bool, x: str = "iteration") -> None:
    """Sets an x axis that spans the points' iterations, or the column `x` in their place."""
    after_start = points[x][points["iteration"] > 0]
    low, high = after_start.min(), after_start.max()
    if log:
        # A single evaluation would give the axis zero length.
        low, high = low * 0.9, max(high, low * 2)
        axes.set_xscale("log")
        axes.set_xlim(low, high * (high / low) ** 0.03)
        log_ticks(axes.xaxis)
    else:
        axes.set_xlim(0, high * 1.03)
        linear_ticks(axes.xaxis)


def below_top(axes: Axes, points: pd.DataFrame) -> pd.DataFrame:
    """The points not above the top of a panel, for an x axis that begins where the curves enter the panel."""
    return points[~(points["value"] > axes.get_ylim()[1])]


def values_axis(
    axes: Axes,
    points: pd.DataFrame,
    *,
    log: bool,
    headroom: float = 1.4,
    footroom: float = 0.8,
    also: Sequence[float] = (),
) -> None:
    """Sets a y axis from zero, or if logarithmic from `footroom` times the lowest value, to `headroom` times the
    highest final value.

    Higher values, such as those at the start of training, are cut off; infinite headroom shows them all. A value of
    zero is below any logarithmic axis: its line leaves the panel. The axis also spans the values in `also`.
    """
    shown = points[(points["iteration"] > 0) & (points["value"] > 0)]
    low, high = 1.0, 100.0
    if len(shown):
        ends = at_the_end(shown)["value"]
        low, high = shown["value"].min() * footroom, min(shown["value"].max() * 1.25, ends.max() * headroom)
    low, high = min([low, *(value * footroom for value in also)]), max([high, *(value * 1.1 for value in also)])
    if log:
        axes.set_yscale("log")
        axes.set_ylim(low, high)
        log_ticks(axes.yaxis)
    else:
        axes.set_ylim(0, high)
        linear_ticks(axes.yaxis)


def centred_axis(axes: Axes, points: pd.DataFrame, reference: float, least: float) -> None:
    """Sets a linear y axis that spans the values, and at least `least` on both sides of `reference`.

    `least` keeps negligible differences from filling a panel. Intervals may extend beyond the panel.
    """
    values = [reference - least, reference + least, *points["value"][points["iteration"] > 0].dropna()]
    margin = 0.05 * (max(values) - min(values))
    axes.set_ylim(min(values) - margin, max(values) + margin)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=ROUND))


def linear_ticks(axis: Axis) -> None:
    """Labels a linear axis with plain numbers, as many as fit. Its limits must be final."""
    inches, needed = _room(axis)
    axis.set_major_locator(MaxNLocator(max(1, min(6, int(inches / needed))), steps=ROUND))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))


def log_ticks(axis: Axis) -> None:
    """Labels a logarithmic axis with plain numbers, as many as fit. Its limits must be final."""
    low, high = axis.get_view_interval()
    inches, needed = _room(axis)
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


def _room(axis: Axis) -> tuple[float, float]:
    """The length of an axis, and what its longest label needs of it, in inches."""
    width, height = axis.axes.get_position().size * style.figure_of(axis.axes).get_size_inches()
    if not isinstance(axis, XAxis):
        return height, 0.28
    # The width of a digit is about 0.6 times the font size.
    longest = max(len(plain_number(float(f"{end:.1g}"))) for end in axis.get_view_interval())
    return width, (longest + 1) * 0.6 * style.SMALL / 72


def plain_number(value: float) -> str:
    """`value` as text without an exponent: 1,000 and 0.00001, never 1e-05."""
    if value >= 1000:
        return f"{value:,.0f}"
    return np.format_float_positional(value, precision=6, fractional=False, trim="-")


def draw_curves(axes: Axes, points: pd.DataFrame, family: Family, x: str = "iteration") -> None:
    """Draws our curves of one panel for both frameworks, over the column `x`. The limits of the axes must be final.

    A band is the interval of a mean; thin lines are its replicas, if there are few. A cross marks the first divergence.
    """
    axes.grid(axis="y", color=style.GRID, linewidth=0.5)
    points = ours(points)
    for framework in FRAMEWORKS:
        for value, colour in family.colours.items():
            curve = points[(points[family.field] == value) & (points["source"] == framework)]
            finite = curve.dropna(subset="value")
            if finite.empty:  # matplotlib cannot draw an interval without points
                continue
            look = style.FRAMEWORK_LINES[framework] | (style.FRAMEWORK_DOTS[framework] if len(finite) == 1 else {})
            axes.plot(finite[x], finite["value"], color=colour, **look)
            _draw_spread(axes, curve, colour, x)
            before = curve[curve["n_diverged"] == 0]
            if len(before) < len(curve) and len(before):
                axes.plot(before[x].iloc[-1], before["value"].iloc[-1], color=colour, **style.DIVERGED_MARK)


def draw_dotted(axes: Axes, points: pd.DataFrame, family: Family) -> None:
    """Draws curves for comparison as thin dotted lines in the family's colours, the same for both frameworks."""
    for (value, _), curve in ours(points).groupby([family.field, "source"]):
        axes.plot(curve["iteration"], curve["value"], color=family.colours[value], zorder=4, **style.DOTTED)


def draw_dot(axes: Axes, x: float, row: pd.Series, *, across: bool = False, **look: Any) -> None:
    """Draws a mean with its interval (for few replicas, ticks at their values), and a cross if a replica diverged.

    Draws nothing if all replicas diverged. The limits of the axes must be final.

    Args:
        across: whether values are on the x axis, and `x` is on the y axis.
    """
    if np.isnan(row["value"]):
        return

    def plot(where: list[float], values: list[float], **look: Any) -> None:
        axes.plot(*((values, where) if across else (where, values)), color=colour, **look)

    colour, width, faint = look.pop("color"), 0.25 * look["markersize"], look.get("alpha")
    plot([x], [row["value"]], zorder=3, **look)
    few = [row[name] for name in REPLICAS if np.isfinite(row[name])]
    if few:
        tick: style.Look = {"linestyle": "none", "marker": "|" if across else "_", "markersize": 2 * look["markersize"]}
        plot([x] * len(few), few, alpha=faint, markeredgewidth=width, **tick)
    else:
        lowest = (axes.get_xlim() if across else axes.get_ylim())[0]
        plot([x, x], [max(row["low"], lowest), row["high"]], alpha=faint, linewidth=width)  # can extend below zero
    if row["n_diverged"]:
        plot([x], [row["value"]], **style.DIVERGED_MARK)


def _draw_spread(axes: Axes, curve: pd.DataFrame, colour: str, x: str) -> None:
    """Draws a band over the interval; for few replicas, a thin line for each."""
    lowest = axes.get_ylim()[0]
    for name in REPLICAS:
        axes.plot(curve[x], curve[name], color=colour, zorder=1.8, **style.FEW_REPLICAS)
    many = curve[curve[REPLICAS].isna().all(axis=1)]
    axes.fill_between(many[x], many["low"].clip(lower=lowest), many["high"], color=colour, **style.BAND)
