"""Test error with synthetic-gradient models M of 0, 1 and 2 hidden layers (0: a linear map), DNI on MNIST.

One panel per depth of the net, one colour per depth of M. No numbers can be read off the paper's plots.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from paper_figures.drawing import layout, panels, style
from paper_figures.drawing.curve_points import our_points
from paper_figures.drawing.figure_files import figure_files, replicas_sentence
from paper_figures.drawing.notes import curve_notes
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import shown_runs

TITLE = "linear and deeper synthetic-gradient models M (DNI): test error against iterations"
OUTPUT = "figures/fig_linear_dni.pdf"
EXPERIMENT = "linear_dni"

NET_DEPTHS = {depth: f"Net of {depth} layers" for depth in (3, 4, 5, 6)}
SHOWN: Shown = {"dataset": ["mnist"], "model": ["fcn"], "method": ["dni"], "depth": NET_DEPTHS}
MODEL_DEPTHS = panels.Family(
    "synthetic_gradient_depth", dict(zip((0, 1, 2), style.THREE_SHADES, strict=True)), "M of {} hidden layers"
)


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    points = our_points(runs, ["depth", "synthetic_gradient_depth"])
    sentences = [
        replicas_sentence(runs, "mean test error"),
        "M of 0 hidden layers is a linear map. The paper shows such curves, but no numbers can be read off them.",
        *curve_notes(points, MODEL_DEPTHS, "depth", NET_DEPTHS),
    ]
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, _draw)


def _draw(points: pd.DataFrame, page: style.Page) -> Figure:
    depths = {depth: title for depth, title in NET_DEPTHS.items() if depth in set(points["depth"])}
    legend = [*layout.frameworks_legend(points), *MODEL_DEPTHS.drawn(points).legend()]
    across = 2 if len(depths) in (2, 4) else len(depths)
    figure, grid = layout.grid(page, len(depths) // across, across, 2.0, legend=[legend])
    panels.values_axis(grid[0, 0], points, log=page.log, headroom=2)
    panels.iterations_axis(grid[0, 0], panels.below_top(grid[0, 0], points), log=page.log)
    for axes, (depth, title) in zip(grid.flat, depths.items(), strict=True):
        axes.set_title(title, loc="left", fontweight="bold", pad=4)
        panels.draw_curves(axes, points[points["depth"] == depth], MODEL_DEPTHS)
    layout.label_axes(grid, "training iterations", "test error (%)")
    return figure
