"""Two networks (our addition): how much sooner DNI reaches joint backprop's final error, by the period T.

Left: network A. Right: network B. In digits consumed and in seconds of training.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures.claims.measures import MEASURES
from paper_figures.drawing import layout, panels, style
from paper_figures.drawing.curve_points import mean_and_interval
from paper_figures.drawing.figure_files import figure_files
from paper_figures.names import FRAMEWORKS
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.runs import Run, read_runs, select_runs

TITLE = "two networks (our addition): digits and seconds until DNI reaches joint backprop's final error, by the period"
OUTPUT = "figures/fig_two_network_periods.pdf"
EXPERIMENT = "two_network"

NET = {"dataset": "mnist", "model": "lstm"}
PERIODS = panels.Family("period", dict.fromkeys((2, 4, 8), style.INK), "T\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{}")
NETWORKS = {"a": "Network A: odd digits among T", "b": "Network B: threes among T²"}
# What is measured: name, colour, and shift along the x axis.
CLOCKS = {
    "digits": ("digits consumed", style.THREE_SHADES[0], -0.13),
    "seconds": ("seconds of training", style.THREE_SHADES[2], 0.13),
}
# Pairs of replicas: `n` in the mean, `n_never` in which DNI never reached the goal, `n_no_goal` that have no goal.
COLUMNS = ["network", "period", "clock", "source", "obtained", "iteration", "value", "low", "high"]
COUNTS = ["n", "n_never", "n_no_goal"]
CROSS: style.Look = {"color": style.INK, **style.DIVERGED_MARK}
NOTES = 0.35  # share of a panel's height that is free for its notes
TOP = 0.95  # height of the cross that replaces a missing mean, as a share of a panel's height


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = select_runs(read_runs(results, EXPERIMENT), **NET)
    runs = [run for run in runs if run.cell["method"] in ("dni", "bprop")]
    runs = [run for run in runs if run.cell["period"] in PERIODS.colours]
    points = pd.DataFrame([row for run in select_runs(runs, method="dni") for row in _rows(run, runs)])
    points = points.reindex(columns=[*COLUMNS, *COUNTS]).astype(dict.fromkeys(["iteration", *COUNTS], "Int64"))
    sentences = [
        "Ratio of DNI to joint backprop, for pairs of replicas with the same seed; below 1, DNI needs less. Digits: "
        "number until DNI's test error is first at or below joint backprop's final error, divided by the number until "
        "joint backprop's test error is. Both are interpolated linearly between evaluations. Seconds: the same for "
        "training time at each run's mean speed, without compilation and evaluation; the machine may have been shared "
        "with other work.",
        "Dots: mean of the pairs, with its 95% t interval (for two pairs, ticks at their values; for one, none). "
        "Crosses: in the pairs counted in the note, DNI never reached joint backprop's final error. These pairs are "
        "left out of the mean. A cross at the top means that no pair reached it. If joint backprop diverged or did "
        "not learn, there is no goal.",
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
            numbers = dict(
                zip(["value", "low", "high", "n", "n_never"], mean_and_interval(reading.values * factor), strict=True)
            )
            counts = {"iteration": reading.iteration, "n_no_goal": len(paired) - len(reading.values)}
            rows.append({**named, "network": network, "clock": clock, **numbers, **counts})
    return rows


def _factors(run: Run, joint: Run) -> dict[str, float]:
    """By clock, the cost of a digit with DNI relative to joint backprop; no seconds if a speed was not recorded."""
    speed, joint_speed = run.record.model_steps_per_second, joint.record.model_steps_per_second
    if speed is None or joint_speed is None:
        return {"digits": 1.0}
    digits, joint_digits = (one.record.facts["digits_per_iteration"] for one in (run, joint))
    return {"digits": 1.0, "seconds": (joint_speed * joint_digits) / (speed * digits)}


def _draw(points: pd.DataFrame, head: style.Head) -> Figure:
    dots = layout.dots_legend(style.FRAMEWORK_DOTS)
    colours = [Line2D([], [], label=name, color=colour, linewidth=2) for name, colour, _ in CLOCKS.values()]
    same = Line2D([], [], label="equal to joint backprop", color=style.FAINT, **style.DOTTED)
    never = Line2D([], [], label="not reached", **CROSS)
    figure, grid = layout.grid(head, 1, len(NETWORKS), 2.2, legend=[[*dots, *colours, same, never]])
    values = points["value"].dropna()
    first = grid[0, 0]
    low, high = min([0.3, *(0.8 * values)]), max([1.2, *(1.2 * values)])
    first.set(yscale="log", ylim=(low, low * (high / low) ** (1 / (1 - NOTES))))
    first.set(xlim=(-0.5, len(PERIODS.colours) - 0.5))
    first.set_xticks(range(len(PERIODS.colours)), [f"T = {period}" for period in PERIODS.colours])
    panels.plain_ticks(first.yaxis)
    for axes, (network, title) in zip(grid.flat, NETWORKS.items(), strict=True):
        axes.set_title(title, loc="left", fontweight="bold", pad=4)
        _panel(axes, points[points["network"] == network])
    layout.label_axes(grid, "period", "DNI over joint backprop (ratio)")
    return figure


def _panel(axes: Axes, points: pd.DataFrame) -> None:
    axes.grid(axis="y", color=style.GRID, linewidth=0.5)
    axes.axhline(1, color=style.FAINT, zorder=1.5, **style.DOTTED)
    for row in points.to_dict("records"):
        _, colour, shift = CLOCKS[row["clock"]]
        x = list(PERIODS.colours).index(row["period"]) + shift
        means = pd.Series({**row, "n_diverged": row["n_never"]})
        panels.draw_dot(axes, x, means, color=colour, **style.FRAMEWORK_DOTS[row["source"]])
        if row["n_never"] and not row["n"]:
            axes.plot(x, TOP, transform=axes.get_xaxis_transform(), **{**CROSS, "color": colour, "zorder": 8})
    lines = _notes(points[points["clock"] == "digits"])
    never = points["n_never"].gt(0) & points["n"].eq(0)
    panels.write_note(axes, [*([""] if never.any() and lines else []), *lines], "upper left")  # below the crosses


def _notes(points: pd.DataFrame) -> list[str]:
    """The notes of a panel: pairs that never reached their goal, pairs without a goal, and missing runs."""
    found: dict[str, dict[str, dict[str, list[int]]]] = {"× not reached": {}, "no goal": {}, "missing": {}}
    for framework, name in FRAMEWORKS.items():
        rows = points[points["source"] == framework].set_index("period")
        for period in PERIODS.colours:
            row = rows.loc[period] if period in rows.index else None
            for what, count in {"× not reached": "n_never", "no goal": "n_no_goal"}.items():
                if row is not None and row[count]:
                    remark = panels.count_in_brackets(row[count], row[COUNTS].sum())
                    found[what].setdefault(name, {}).setdefault(remark, []).append(period)
            if row is None:
                found["missing"].setdefault(name, {}).setdefault("", []).append(period)
    return [f"{what}: {_in_words(by_framework)}" for what, by_framework in found.items() if by_framework]


def _in_words(by_framework: dict[str, dict[str, list[int]]]) -> str:
    texts = {name: PERIODS.grouped(periods) for name, periods in by_framework.items()}
    if len(texts) == len(FRAMEWORKS) and len(set(texts.values())) == 1:
        return texts.popitem()[1]
    return "; ".join(f"{name} {text}" for name, text in texts.items())
