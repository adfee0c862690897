"""Test error of feed-forward nets during training, ours (both frameworks) and the paper's ("Every layer DNI").

One panel per method, one colour per depth. The paper's curves are read off its plots; diamonds show its table.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures.claims.matching import read_claims
from paper_figures.drawing import captions, layout, panels, style
from paper_figures.drawing.curve_points import our_points, ours, paper_points
from paper_figures.drawing.figure_files import NOT_COMPARABLE, figure_files, replicas_sentence
from paper_figures.drawing.notes import curve_notes
from paper_figures.names import FEEDFORWARD_METHODS
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import can_be_compared, shown_runs

TITLE = "feed-forward nets with a DNI between every two layers: test error against iterations"
OUTPUT = "figures/fig_feedforward_curves.pdf"
EXPERIMENT = "feedforward"

ARTIFACTS = [Path(__file__).stem, "table_feedforward"]  # their claims are shown
NET = {"dataset": "mnist", "model": "fcn"}
SHOWN: Shown = {"dataset": ["mnist"], "model": ["fcn"], "depth": list(style.DEPTHS)}
DEPTHS = panels.Family("depth", style.DEPTHS, "{} layers")


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    claims = read_claims()
    claims = claims[claims["artifact"].isin(ARTIFACTS) & (claims[list(NET)] == list(NET.values())).all(axis=1)]
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    comparable = can_be_compared(runs)
    papers = [paper_points(claims)] if comparable else []
    points = pd.concat([our_points(runs, ["method", "depth"]), *papers], ignore_index=True)
    sentences = [
        replicas_sentence(runs, "mean test error"),
        "Dashed: the paper's curves, read off its plots to 0.1 percentage points. Diamonds: its table."
        if comparable
        else NOT_COMPARABLE,
        *curve_notes(points, DEPTHS, "method", FEEDFORWARD_METHODS),
        captions.DEPTH_CHOSEN_ON_TEST,
    ]
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, _draw)


def _draw(points: pd.DataFrame, page: style.Page) -> Figure:
    ran = set(ours(points)["method"])
    methods = {method: name for method, name in FEEDFORWARD_METHODS.items() if method in ran}
    points = points[points["method"].isin(ran)]
    ink: style.Look = {"color": style.INK}
    plot = Line2D([], [], label="paper's plot", **ink, **style.PAPER_LINE)
    table = Line2D([], [], label="paper's table", **ink, **style.PAPER_MARK)
    papers = {"digitised": plot, "table": table}
    legend = [
        *layout.frameworks_legend(points),
        *(handle for kind, handle in papers.items() if kind in set(points["obtained"])),
        *DEPTHS.drawn(points).legend(),
    ]
    across = 2 if len(methods) in (2, 4) else len(methods)
    figure, grid = layout.grid(page, len(methods) // across, across, 1.9, legend=[legend], sharey=False)
    panels.iterations_axis(grid[0, 0], points, log=page.log)
    for axes, (method, name) in zip(grid.flat, methods.items(), strict=True):
        axes.set_title(name, loc="left", fontweight="bold", pad=4)
        here = points[points["method"] == method]
        panels.values_axis(axes, here, log=page.log, footroom=0.7)
        _panel(axes, here)
    layout.label_axes(grid, "training iterations", "test error (%)")
    return figure


def _panel(axes: Axes, points: pd.DataFrame) -> None:
    panels.draw_curves(axes, points, DEPTHS)
    for depth, colour in DEPTHS.colours.items():
        rows = points[points["depth"] == depth]
        printed, digitised = (rows[rows["obtained"] == kind] for kind in ("table", "digitised"))
        axes.plot(digitised["iteration"], digitised["value"], color=colour, **style.PAPER_LINE)
        axes.plot(printed["iteration"], printed["value"], color=colour, clip_on=False, **style.PAPER_MARK)
