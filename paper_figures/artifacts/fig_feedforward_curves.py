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
from paper_figures.drawing.curve_points import our_points, paper_points
from paper_figures.drawing.figure_files import figure_files, replicas_sentence
from paper_figures.names import FEEDFORWARD_METHODS
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.runs import read_runs, select_runs

TITLE = "feed-forward nets with a DNI between every two layers: test error against iterations"
OUTPUT = "figures/fig_feedforward_curves.pdf"
EXPERIMENT = "feedforward"

ARTIFACTS = [Path(__file__).stem, "table_feedforward"]  # their claims are shown
NET = {"dataset": "mnist", "model": "fcn"}
DEPTHS = panels.Family("depth", style.DEPTHS, "{} layers")


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    claims = read_claims()
    claims = claims[claims["artifact"].isin(ARTIFACTS) & (claims[list(NET)] == list(NET.values())).all(axis=1)]
    runs = [run for run in select_runs(read_runs(results, EXPERIMENT), **NET) if run.cell["depth"] in style.DEPTHS]
    points = pd.concat([our_points(runs, ["method", "depth"]), paper_points(claims)], ignore_index=True)
    sentences = [
        replicas_sentence(runs, "mean test error"),
        "Dashed: the paper's curves, read off its plots to 0.1 percentage points. Diamonds: its table. Where our curve "
        "ends close to the paper's diamond, they share a label.",
        captions.DEPTH_CHOSEN_ON_TEST,
    ]
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, _draw)


def _draw(points: pd.DataFrame, head: style.Head) -> Figure:
    ink: style.Look = {"color": style.INK}
    legend = [
        *layout.frameworks_legend(),
        Line2D([], [], label="paper's plot", **ink, **style.PAPER_LINE),
        Line2D([], [], label="paper's table", **ink, **style.PAPER_MARK),
        *DEPTHS.legend(),
    ]
    figure, grid = layout.grid(head, 2, 2, 2.05, legend=[legend])
    panels.log_iterations(grid[0, 0], points)
    panels.log_values(grid[0, 0], points, footroom=0.7)
    for axes, (method, name) in zip(grid.flat, FEEDFORWARD_METHODS.items(), strict=True):
        axes.set_title(name, loc="left", fontweight="bold", pad=4)
        _panel(axes, points[points["method"] == method])
    layout.label_axes(grid, "training iterations", "test error (%)")
    return figure


def _panel(axes: Axes, points: pd.DataFrame) -> None:
    ours, papers = panels.draw_curves(axes, points, DEPTHS), []
    for depth, colour in style.DEPTHS.items():
        rows = points[points["depth"] == depth]
        printed, digitised = (rows[rows["obtained"] == kind] for kind in ("table", "digitised"))
        axes.plot(digitised["iteration"], digitised["value"], color=colour, **style.PAPER_LINE)
        axes.plot(printed["iteration"], printed["value"], color=colour, **style.PAPER_MARK)
        papers += [(x, y, str(depth), colour) for x, y in zip(printed["iteration"], printed["value"], strict=True)]
    style.label_ends(axes, panels.join_ends(axes, ours, papers, "◇"))
