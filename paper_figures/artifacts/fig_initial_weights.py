"""Our ablation: the distribution of the weights before training, on MNIST.

The paper does not state it.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from paper_figures.drawing import layout, panels, style
from paper_figures.drawing.curve_points import our_points
from paper_figures.drawing.figure_files import figure_files, replicas_sentence
from paper_figures.drawing.notes import curve_notes
from paper_figures.names import FEEDFORWARD_METHODS
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import shown_runs

TITLE = "our ablation: the distribution of the weights before training, fully connected nets"
OUTPUT = "figures/fig_initial_weights.pdf"
EXPERIMENT = "initial_weights"

METHODS = {method: FEEDFORWARD_METHODS[method] for method in ("bprop", "cdni")}
SHOWN: Shown = {"dataset": ["mnist"], "model": ["fcn"], "method": METHODS}
NAMES = {
    "lecun_normal": "LeCun's",
    "torch_uniform": "PyTorch's",
    "glorot_uniform": "Glorot's",
}
COLOURS = dict(zip(NAMES, style.THREE_SHADES, strict=True))
WEIGHTS = panels.Family("initial_weights", COLOURS, "weights: {}", names=NAMES)


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    points = our_points(runs, ["depth", "method", "initial_weights"])
    panel = points["method"] + points["depth"].astype(str)
    titles = {
        f"{method}{depth}": f"{name}, {depth} layers"
        for depth in sorted(set(points["depth"]))
        for method, name in METHODS.items()
    }
    sentences = [
        replicas_sentence(runs, "mean test error"),
        "Colours: the distribution of all weights of the net and of M, except for the last map of M, which is zero. "
        "LeCun: normal with variance 1/inputs. PyTorch: uniform with variance 1/(3 inputs), the library's default. "
        "Glorot: uniform with variance 2/(inputs + outputs). The paper does not state it.",
        *curve_notes(points.assign(panel=panel), WEIGHTS, "panel", titles),
    ]
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, _draw, addition=True)


def _draw(points: pd.DataFrame, page: style.Page) -> Figure:
    depths = sorted(points["depth"].unique())
    methods = {method: name for method, name in METHODS.items() if method in set(points["method"])}
    legend = [*layout.frameworks_legend(points), *WEIGHTS.drawn(points).legend()]
    shown = [
        (depth, method, here)
        for depth, method in itertools.product(depths, methods)
        if len(here := points[(points["depth"] == depth) & (points["method"] == method)])
    ]
    rows = len(depths) if len(shown) == len(depths) * len(methods) else 1  # one row, if a panel would be empty
    figure, grid = layout.grid(page, rows, len(shown) // rows, 2.0, legend=[legend])
    panels.values_axis(grid[0, 0], points, log=page.log, headroom=3)
    panels.iterations_axis(grid[0, 0], panels.below_top(grid[0, 0], points), log=page.log)
    for axes, (depth, method, here) in zip(grid.flat, shown, strict=True):
        axes.set_title(f"{depth} layers, {methods[method]}", loc="left", fontweight="bold", pad=4)
        panels.draw_curves(axes, here, WEIGHTS)
    layout.label_axes(grid, "training iterations", "test error (%)")
    return figure
