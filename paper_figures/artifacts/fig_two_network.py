"""Two networks at two rates: test error of both against the digits consumed ("Multi-network system").

Top: network A. Bottom: network B. Methods: joint backprop, decoupled with DNI, decoupled without DNI. T = 4, as in the
paper.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures.claims.measures import constant_guess
from paper_figures.drawing import layout, panels, style
from paper_figures.drawing.curve_points import NUMBERS, our_points
from paper_figures.drawing.figure_files import figure_files, replicas_sentence
from paper_figures.drawing.notes import curve_notes
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import Run, select_runs, shown_runs

TITLE = "two networks at two rates: test error of both against the digits consumed"
OUTPUT = "figures/fig_two_network.pdf"
EXPERIMENT = "two_network"

SHOWN: Shown = {"dataset": ["mnist"], "model": ["lstm"], "period": [4]}
TITLES = {
    "error_a": "Network A: how many of the last 4 digits are odd",
    "error_b": "Network B: how many of the last 16 digits are threes",
}
NAMES = {"bprop": "joint backprop", "dni": "decoupled with DNI", "no_bprop": "decoupled without DNI"}
COLOURS = dict(zip(NAMES, style.THREE_SHADES, strict=True))
METHODS = panels.Family("method", COLOURS, names=NAMES)
CLOCKS = ("digits", "updates_of_a")
GUESS: style.Look = {"color": style.FAINT, **style.DOTTED}


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    points = _points(runs)
    sentences = [
        replicas_sentence(runs, "mean test error"),
        "An iteration is a block of T x T digits of every stream. In joint backprop, A is updated once per block, with "
        "the gradient that B sends back for A's messages. If decoupled, A is updated after every T digits. A synthetic "
        "gradient (DNI) or zero (without DNI) then replaces the gradient from B.",
        *_updates_sentence(runs),
        "Dotted: the error of the best constant guess, made without reading any digit.",
        "The paper shows its curves without numbers, so none are drawn.",
        *curve_notes(points, METHODS),
    ]
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, _draw, length_stated=False)


def _points(runs: list[Run]) -> pd.DataFrame:
    """Points of `our_points` for both networks, with digits, updates of A, and the error of the best constant guess."""
    points = pd.concat([our_points(runs, ["method", "period"], metric=metric) for metric in TITLES], ignore_index=True)
    by_place = {(run.cell["method"], run.record.framework): run for run in runs}
    found = [by_place[place] for place in zip(points["method"], points["source"], strict=True)]
    for column, clock in enumerate(CLOCKS, start=2):
        per_iteration = [int(run.record.facts[f"{clock}_per_iteration"]) for run in found]
        points.insert(column, clock, points["iteration"] * pd.Series(per_iteration, points.index, dtype=int))
    guesses = [constant_guess(run, metric) for run, metric in zip(found, points["metric"], strict=True)]
    return points.assign(constant_guess=guesses)


def _updates_sentence(runs: list[Run]) -> list[str]:
    """A sentence with the number of updates of A at the ends of the curves, and the digits per update."""
    counts = []
    for method, name in NAMES.items():
        totals, paces = set(), set()
        for run in select_runs(runs, method=method):
            updates_per_iteration = run.record.facts["updates_of_a_per_iteration"]
            totals.add(updates_per_iteration * run.record.iteration_reached)
            paces.add(run.record.facts["digits_per_iteration"] / updates_per_iteration)
        updates, digits = (" or ".join(f"{number:,.0f}" for number in sorted(found)) for found in (totals, paces))
        counts += [f"{name} {updates} (one per {digits} digits)"] if totals else []
    return [f"Updates of A up to the ends of the curves: {'; '.join(counts)}."] if counts else []


def _draw(points: pd.DataFrame, page: style.Page) -> Figure:
    guess = Line2D([], [], label="best constant guess", **GUESS)
    legend = [[*layout.frameworks_legend(points), guess], METHODS.drawn(points).legend()]
    figure, grid = layout.grid(page, len(TITLES), 1, 1.8, legend=legend, sharey=False)
    points = points.assign(millions=points["digits"] / 1e6)
    panels.iterations_axis(grid[0, 0], points, log=page.log, x="millions")
    for axes, (metric, title) in zip(grid.flat, TITLES.items(), strict=True):
        axes.set_title(title, loc="left", fontweight="bold", pad=4)
        _panel(axes, points[points["metric"] == metric], log=page.log)
    layout.label_axes(grid, "digits consumed (millions)", "test error (%)")
    return figure


def _panel(axes: Axes, points: pd.DataFrame, *, log: bool) -> None:
    guesses = sorted(set(points["constant_guess"]))
    curves = points[["method", "source", *NUMBERS]]
    panels.values_axis(axes, curves, log=log, headroom=1.3, also=guesses)
    left, end = axes.get_xlim()
    for level in guesses:
        axes.plot([left, end], [level, level], **GUESS)
    panels.draw_curves(axes, points, METHODS, x="millions")
