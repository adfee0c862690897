"""Our ablation: the distribution of the weights before training, on MNIST.

The paper does not state it.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from paper_figures.drawing import layout, panels, style
from paper_figures.drawing.curve_points import our_points
from paper_figures.drawing.figure_files import figure_files, replicas_sentence
from paper_figures.names import FEEDFORWARD_METHODS
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.runs import read_runs, select_runs

TITLE = "our ablation: the distribution of the weights before training, fully connected nets"
OUTPUT = "figures/fig_initial_weights.pdf"
EXPERIMENT = "initial_weights"

METHODS = ("bprop", "cdni")
NAMES = {
    "lecun_normal": "LeCun",
    "torch_uniform": "PyTorch",
    "glorot_uniform": "Glorot",
}
WEIGHTS = panels.Family("initial_weights", dict(zip(NAMES, style.THREE_SHADES, strict=True)), names=NAMES)


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = select_runs(read_runs(results, EXPERIMENT), dataset="mnist", model="fcn")
    points = our_points(runs, ["depth", "method", "initial_weights"])
    sentences = [
        replicas_sentence(runs, "mean test error"),
        "Colours: the distribution of all weights of the net and of M, except for the last map of M, which is zero. "
        "LeCun: normal with variance 1/inputs. PyTorch: uniform with variance 1/(3 inputs), the library's default. "
        "Glorot: uniform with variance 2/(inputs + outputs). The paper does not state it.",
    ]
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, _draw, addition=True)


def _draw(points: pd.DataFrame, head: style.Head) -> Figure:
    depths = sorted(points["depth"].unique()) or [4]
    methods = METHODS if len(points) else METHODS[-1:]  # without runs a single panel says so
    legend = [*layout.frameworks_legend(), *WEIGHTS.legend()]
    figure, grid = layout.grid(head, len(depths), len(methods), 2.2, legend=[legend])
    panels.log_values(grid[0, 0], points, headroom=3)
    panels.log_iterations(grid[0, 0], panels.below_top(grid[0, 0], points), label_room=0.25)
    for row, depth in zip(grid, depths, strict=True):
        for axes, method in zip(row, methods, strict=True):
            axes.set_title(f"{depth} layers, {FEEDFORWARD_METHODS[method]}", loc="left", fontweight="bold", pad=4)
            here = points[(points["depth"] == depth) & (points["method"] == method)]
            style.label_ends(axes, panels.draw_curves(axes, here, WEIGHTS))
    layout.label_axes(grid, "training iterations", "test error (%)")
    return figure
