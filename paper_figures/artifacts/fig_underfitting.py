"""Training error of convolutional nets on CIFAR-10: with DNI a deeper net fits worse, with cDNI it does not.

One panel per method, one colour per depth. The test error is dotted. No numbers can be read off the paper's plots.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures.drawing import layout, panels, style
from paper_figures.drawing.curve_points import our_points
from paper_figures.drawing.figure_files import figure_files, replicas_sentence
from paper_figures.drawing.notes import curve_notes
from paper_figures.names import FEEDFORWARD_METHODS
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import shown_runs

TITLE = "convolutional nets on CIFAR-10 with a DNI between every two layers: training error against iterations"
OUTPUT = "figures/fig_underfitting.pdf"
EXPERIMENT = "feedforward"

METHODS = {method: FEEDFORWARD_METHODS[method] for method in ("bprop", "dni", "cdni")}
SHOWN: Shown = {"dataset": ["cifar10"], "model": ["cnn"], "method": METHODS}
DEPTHS = panels.Family("depth", {depth: style.DEPTHS[depth] for depth in (3, 4)}, "{} layers")


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    points = pd.concat([our_points(runs, ["method", "depth"], split) for split in ("train", "test")], ignore_index=True)
    sentences = [
        replicas_sentence(runs, "mean training error"),
        "Dotted: test error of the same nets. A curve that leaves its panel at the bottom has reached zero.",
        "The paper's point: DNI's higher test error in deeper nets is due to underfitting, because the training error "
        "is higher too, and cDNI prevents it. No numbers can be read off the paper's plots.",
        *curve_notes(points, DEPTHS, "method", METHODS),
    ]
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, _draw)


def _draw(points: pd.DataFrame, page: style.Page) -> Figure:
    dotted = Line2D([], [], label="test error", color=style.INK, **style.DOTTED)
    methods = {method: name for method, name in METHODS.items() if method in set(points["method"])}
    legend = [*layout.frameworks_legend(points), dotted, *DEPTHS.drawn(points).legend()]
    figure, grid = layout.grid(page, 1, len(methods), 2.3, legend=[legend])
    panels.iterations_axis(grid[0, 0], points, log=page.log)
    panels.values_axis(grid[0, 0], points, log=page.log)
    for axes, (method, name) in zip(grid.flat, methods.items(), strict=True):
        axes.set_title(name, loc="left", fontweight="bold", pad=4)
        here = points[points["method"] == method]
        panels.draw_dotted(axes, here[here["split"] == "test"], DEPTHS)
        panels.draw_curves(axes, here[here["split"] == "train"], DEPTHS)
    layout.label_axes(grid, "training iterations", "training error, dotted: test (%)")
    return figure
