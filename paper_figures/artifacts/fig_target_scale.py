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
from paper_figures.drawing.notes import curve_notes
from paper_figures.names import FEEDFORWARD_METHODS
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import shown_runs

TITLE = "our ablation: the gradient of one example's loss or of the batch's mean loss as the target of M, 4-layer nets"
OUTPUT = "figures/fig_target_scale.pdf"
EXPERIMENT = "target_scale"

METHODS = {method: FEEDFORWARD_METHODS[method] for method in ("dni", "cdni")}
SHOWN: Shown = {"dataset": ["mnist"], "model": ["fcn"], "depth": [4], "method": METHODS}
NAMES = {
    ("example", 1e-8): "one example (ε = 1e-8)",
    ("batch_mean", 1e-8): "batch mean (ε = 1e-8)",
    ("batch_mean", 1e-12): "batch mean (ε = 1e-12)",
}
SETTINGS = panels.Family("setting", dict(zip(NAMES.values(), style.THREE_SHADES, strict=True)), "{}")


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    points = our_points(runs, ["method", "target_scale", "adam_epsilon"])
    pairs = zip(points["target_scale"], points["adam_epsilon"], strict=True)
    points.insert(3, "setting", [NAMES.get(pair) for pair in pairs])
    # DNI is no gap where no preset trains it.
    shown = {method: name for method, name in METHODS.items() if method == "cdni" or method in set(points["method"])}
    sentences = [
        replicas_sentence(runs, "mean test error"),
        "Colours: the loss whose gradient M learns (one example's loss or the batch's mean loss), and Adam's epsilon.",
        "The paper does not state the scale. For the mean loss, the targets are divided by the batch size. They are "
        "then so small that the gradients of M's regression are close to Adam's usual epsilon, 1e-8, and M learns "
        "late. A smaller epsilon removes this effect. This suite uses one example's loss.",
        *curve_notes(points, SETTINGS, "method", shown),
    ]
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, _draw, addition=True)


def _draw(points: pd.DataFrame, page: style.Page) -> Figure:
    methods = {method: name for method, name in METHODS.items() if method in set(points["method"])}
    legend = [*layout.frameworks_legend(points), *SETTINGS.drawn(points).legend()]
    figure, grid = layout.grid(page, 1, len(methods), 2.3, legend=[legend])
    panels.values_axis(grid[0, 0], points, log=page.log, headroom=3)
    panels.iterations_axis(grid[0, 0], panels.below_top(grid[0, 0], points), log=page.log)
    for axes, (method, name) in zip(grid.flat, methods.items(), strict=True):
        axes.set_title(name, loc="left", fontweight="bold", pad=4)
        panels.draw_curves(axes, points[points["method"] == method], SETTINGS)
    layout.label_axes(grid, "training iterations", "test error (%)")
    return figure
