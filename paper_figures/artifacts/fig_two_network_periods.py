"""Two networks (our addition): how much sooner DNI reaches joint backprop's final error, by the period T.

Left: network A. Right: network B. In digits consumed and in seconds of training.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures.claims.measures import MEASURES
from paper_figures.drawing import layout, notes, panels, style
from paper_figures.drawing.curve_points import REPLICAS, numbers
from paper_figures.drawing.figure_files import figure_files
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import Run, select_runs, shown_runs

TITLE = "two networks (our addition): digits and seconds until DNI reaches joint backprop's final error, by the period"
OUTPUT = "figures/fig_two_network_periods.pdf"
EXPERIMENT = "two_network"

PERIODS = panels.Family("period", dict.fromkeys((2, 4, 8), style.INK), "T = {}")
SHOWN: Shown = {"dataset": ["mnist"], "model": ["lstm"], "method": ["dni", "bprop"], "period": PERIODS.colours}
NETWORKS = {"a": "Network A: odd digits among T", "b": "Network B: threes among T²"}
# What is measured: name, colour, and shift along the y axis.
CLOCKS = {
    "digits": ("digits consumed", style.THREE_SHADES[0], -0.13),
    "seconds": ("seconds of training", style.THREE_SHADES[2], 0.13),
}
# Pairs of replicas: `n` in the mean, `n_never` in which DNI never reached the goal, `n_no_goal` that have no goal.
COLUMNS = ["network", "period", "clock", "source", "obtained", "iteration", "value", "low", "high"]
COUNTS = ["n", "n_never", "n_no_goal"]
CROSS: style.Look = {"color": style.INK, **style.DIVERGED_MARK}
NEVER = 0.97  # place of the cross that replaces a missing mean, as a share of a panel's width
HEIGHT = 0.42  # inches of a period


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    points = pd.DataFrame([row for run in select_runs(runs, method="dni") for row in _rows(run, runs)])
    points = points.reindex(columns=[*COLUMNS, *COUNTS, *REPLICAS]).astype(
        dict.fromkeys(["iteration", *COUNTS], "Int64")
    )
    sentences = [
        "Ratio of DNI to joint backprop, for pairs of replicas with the same seed; below 1, DNI needs less. Digits: "
        "number until DNI's test error is first at or below joint backprop's final error, divided by the number until "
        "joint backprop's test error is. Both are interpolated linearly between evaluations. Seconds: the same for "
        "training time at each run's mean speed, without compilation and evaluation; the machine may have been shared "
        "with other work.",
        "Dots: mean of the pairs, with its 95% t interval; for up to three pairs, ticks at their values. Crosses: in "
        "some pairs DNI never reached joint backprop's final error. These pairs are left out of the mean. A cross at "
        "the right edge means that no pair reached it. If joint backprop diverged or did not learn, there is no goal.",
        *_notes(points),
    ]
    return figure_files(
        __file__, TITLE, results, request, runs, points, sentences, _draw, addition=True, length_stated=False
    )


def _rows(run: Run, runs: list[Run]) -> list[dict]:
    """The ratios of a DNI run to its joint run, for each network and clock; none without a joint run."""
    period, framework = run.cell["period"], run.record.framework
    joint = [other for other in select_runs(runs, method="bprop", period=period) if other.record.framework == framework]
    if not joint:
        return []
    rows, paired = [], set(run.record.seeds) & set(joint[0].record.seeds)
    named = {"period": period, "source": framework, "obtained": "run"}
    for network in NETWORKS:
        measure = MEASURES[f"steps_fraction_{network}"]
        reading = measure.read(run, measure, None, joint[0])
        for clock, factor in _factors(run, joint[0]).items():
            found = dict(
                zip(["value", "low", "high", "n", "n_never", *REPLICAS], numbers(reading.values * factor), strict=True)
            )
            counts = {"iteration": reading.iteration, "n_no_goal": len(paired) - len(reading.values)}
            rows.append({**named, "network": network, "clock": clock, **found, **counts})
    return rows


def _factors(run: Run, joint: Run) -> dict[str, float]:
    """By clock, the cost of a digit with DNI relative to joint backprop; no seconds if a speed was not recorded."""
    speed, joint_speed = run.record.model_steps_per_second, joint.record.model_steps_per_second
    if speed is None or joint_speed is None:
        return {"digits": 1.0}
    digits, joint_digits = (one.record.facts["digits_per_iteration"] for one in (run, joint))
    return {"digits": 1.0, "seconds": (joint_speed * joint_digits) / (speed * digits)}


def _draw(points: pd.DataFrame, page: style.Page) -> Figure:
    clocks = [(name, colour) for clock, (name, colour, _) in CLOCKS.items() if clock in set(points["clock"])]
    legend = layout.frameworks_legend(points, style.FRAMEWORK_DOTS)
    legend += [Line2D([], [], label=name, color=colour, linewidth=2) for name, colour in clocks]
    legend += [Line2D([], [], label="equal to joint backprop", color=style.FAINT, **style.DOTTED)]
    legend += [Line2D([], [], label="not reached", **CROSS)] if points["n_never"].gt(0).any() else []
    periods = list(PERIODS.drawn(points).colours)
    figure, grid = layout.grid(page, 1, len(NETWORKS), HEIGHT * max(2, len(periods)), legend=[legend])
    values, first = points["value"].dropna(), grid[0, 0]
    low, high = min([0.3, *(0.8 * values)]), max([1.2, *(1.2 * values)])
    first.set(xscale="log", xlim=(low, high), ylim=(len(periods) - 0.5, -0.5))
    first.set_yticks(range(len(periods)), [f"T = {period}" for period in periods])
    panels.log_ticks(first.xaxis)
    for axes, (network, title) in zip(grid.flat, NETWORKS.items(), strict=True):
        axes.set_title(title, loc="left", fontweight="bold", pad=4)
        _panel(axes, points[points["network"] == network], periods)
    layout.label_axes(grid, "DNI over joint backprop (ratio)", "period")
    return figure


def _panel(axes: Axes, points: pd.DataFrame, periods: list[int]) -> None:
    axes.grid(axis="x", color=style.GRID, linewidth=0.5)
    axes.axvline(1, color=style.FAINT, zorder=1.5, **style.DOTTED)
    for row in points.to_dict("records"):
        _, colour, shift = CLOCKS[row["clock"]]
        y = periods.index(row["period"]) + shift
        means = pd.Series({**row, "n_diverged": row["n_never"]})
        panels.draw_dot(axes, y, means, across=True, color=colour, **style.FRAMEWORK_DOTS[row["source"]])
        if row["n_never"] and not row["n"]:
            axes.plot(NEVER, y, transform=axes.get_yaxis_transform(), **{**CROSS, "color": colour, "zorder": 8})


def _notes(points: pd.DataFrame) -> list[str]:
    """Sentences about pairs that never reached their goal, pairs without a goal, and missing runs."""
    ran = notes.frameworks_of(points)
    if not ran:
        return ["No run of DNI together with joint backprop."]
    found = notes.Notes(PERIODS, ran)
    words = {"n_never": "Not reached (crosses)", "n_no_goal": "No goal"}
    digits = points[points["clock"] == "digits"]
    for (network, title), framework in itertools.product(NETWORKS.items(), ran):
        rows = digits[(digits["network"] == network) & (digits["source"] == framework)].set_index("period")
        for period in PERIODS.colours:
            if period not in rows.index:
                found.add(notes.NO_RUN, "", title, framework, period)
                continue
            row = rows.loc[period]
            for count, word in words.items():
                if row[count]:
                    remark = notes.count_in_brackets(row[count], row[COUNTS].sum())
                    found.add(word, remark, title, framework, period)
    return found.sentences((*words.values(), notes.NO_RUN))
