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
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.runs import read_runs, select_runs

TITLE = "linear and deeper synthetic-gradient models M (DNI): test error against iterations"
OUTPUT = "figures/fig_linear_dni.pdf"
EXPERIMENT = "linear_dni"

NET_DEPTHS = (3, 4, 5, 6)
MODEL_DEPTHS = panels.Family(
    "synthetic_gradient_depth", dict(zip((0, 1, 2), style.THREE_SHADES, strict=True)), "M of {} hidden layers"
)


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = select_runs(read_runs(results, EXPERIMENT), dataset="mnist", model="fcn", method="dni")
    points = our_points(runs, ["depth", "synthetic_gradient_depth"])
    sentences = [
        replicas_sentence(runs, "mean test error"),
        "M of 0 hidden layers is a linear map. The paper shows such curves, but no numbers can be read off them.",
    ]
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, _draw)


def _draw(points: pd.DataFrame, head: style.Head) -> Figure:
    legend = [*layout.frameworks_legend(), *MODEL_DEPTHS.legend()]
    figure, grid = layout.grid(head, 2, 2, 2.0, legend=[legend])
    panels.log_values(grid[0, 0], points, headroom=2)
    panels.log_iterations(grid[0, 0], panels.below_top(grid[0, 0], points))
    for axes, depth in zip(grid.flat, NET_DEPTHS, strict=True):
        axes.set_title(f"Net of {depth} layers", loc="left", fontweight="bold", pad=4)
        style.label_ends(axes, panels.draw_curves(axes, points[points["depth"] == depth], MODEL_DEPTHS))
    layout.label_axes(grid, "training iterations", "test error (%)")
    return figure
