"""Our ablation: the scale of the target that M learns, and Adam's epsilon, on MNIST.

The paper does not state whether M learns the gradient of one example's loss or of the batch's mean loss.
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

TITLE = "our ablation: the gradient of one example's loss or of the batch's mean loss as the target of M, 4-layer nets"
OUTPUT = "figures/fig_target_scale.pdf"
EXPERIMENT = "target_scale"

NET = {"dataset": "mnist", "model": "fcn", "depth": 4}
NAMES = {
    ("example", 1e-8): "one example (ε = 1e-8)",
    ("batch_mean", 1e-8): "batch mean (ε = 1e-8)",
    ("batch_mean", 1e-12): "batch mean (ε = 1e-12)",
}
SETTINGS = panels.Family("setting", dict(zip(NAMES.values(), style.THREE_SHADES, strict=True)), "{}")


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = select_runs(read_runs(results, EXPERIMENT), **NET)
    points = our_points(runs, ["method", "target_scale", "adam_epsilon"])
    pairs = zip(points["target_scale"], points["adam_epsilon"], strict=True)
    points.insert(3, "setting", [NAMES.get(pair) for pair in pairs])
    sentences = [
        replicas_sentence(runs, "mean test error"),
        "Colours: the loss whose gradient M learns (one example's loss or the batch's mean loss), and Adam's epsilon.",
        "The paper does not state the scale. For the mean loss, the targets are divided by the batch size. They are "
        "then so small that the gradients of M's regression are close to Adam's usual epsilon, 1e-8, and M learns "
        "late. A smaller epsilon removes this effect. This suite uses one example's loss.",
    ]
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, _draw, addition=True)


def _draw(points: pd.DataFrame, head: style.Head) -> Figure:
    # cDNI is always shown, DNI only if a preset trains it.
    methods = [method for method in ("dni", "cdni") if method == "cdni" or (points["method"] == method).any()]
    legend = [*layout.frameworks_legend(), *SETTINGS.legend()]
    figure, grid = layout.grid(head, 1, len(methods), 2.6, legend=[legend])
    panels.log_values(grid[0, 0], points, headroom=3)
    panels.log_iterations(grid[0, 0], panels.below_top(grid[0, 0], points), label_room=0.17 * len(methods))
    for axes, method in zip(grid.flat, methods, strict=True):
        axes.set_title(FEEDFORWARD_METHODS[method], loc="left", fontweight="bold", pad=4)
        style.label_ends(axes, panels.draw_curves(axes, points[points["method"] == method], SETTINGS))
    layout.label_axes(grid, "training iterations", "test error (%)")
    return figure
