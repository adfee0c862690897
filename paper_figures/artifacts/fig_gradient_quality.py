"""How accurate one DNI's synthetic gradient is during training, given the true gradient at its cut ("Single DNI").

Rows: L2 error, cosine similarity, sign error. Columns: dni, cdni. Colours: position of the cut.
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

TITLE = "one DNI in a 6-layer net: error of the synthetic gradient during training"
OUTPUT = "figures/fig_gradient_quality.pdf"
EXPERIMENT = "single_dni"

METHODS = {method: FEEDFORWARD_METHODS[method] for method in ("dni", "cdni")}
SHOWN: Shown = {"dataset": ["mnist"], "model": ["fcn"], "depth": [6], "method": METHODS}
CUTS = panels.Family("cut_after", dict(zip(range(1, 6), style.FIVE_SHADES, strict=True)), "cut after layer {}")
ROWS = {"l2_error": "L2 error", "cosine_similarity": "cosine similarity", "sign_error": "sign error (%)"}
UNINFORMED = {"cosine_similarity": 0, "sign_error": 50}  # values of a gradient unrelated to the true one
LEAST = {"cosine_similarity": 0.05, "sign_error": 2}  # smallest range shown on both sides of that value


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    found = [
        our_points(runs, ["method", "cut_after"], "batch", f"h{{cut_after}}.{metric}").assign(metric=metric)
        for metric in (*ROWS, "true_norm")
    ]
    points = pd.concat(found, ignore_index=True)
    sentences = [
        replicas_sentence(runs, "mean"),
        "All values are measured on the training batch of the iteration. L2 error: norm of the difference between the "
        "synthetic and the true gradient of an example's loss, mean over examples. Dotted: norm of the true gradient, "
        "which is the error of a zero gradient. Cosine similarity: mean over examples. Sign error: share of gradient "
        "components with the wrong sign. Dotted in both: the value of a gradient unrelated to the true one.",
        "No numbers can be read off the paper's plots.",
        *curve_notes(points, CUTS, "method", METHODS),
    ]
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, _draw)


def _draw(points: pd.DataFrame, page: style.Page) -> Figure:
    dotted = Line2D([], [], label="zero or unrelated gradient", color=style.INK, **style.DOTTED)
    methods = {method: name for method, name in METHODS.items() if method in set(points["method"])}
    legend = [*layout.frameworks_legend(points), dotted, *CUTS.drawn(points).legend()]
    figure, grid = layout.grid(page, len(ROWS), len(methods), 1.5, legend=[legend], sharey="row")
    panels.iterations_axis(grid[0, 0], points, log=page.log)
    errors = points[points["metric"].isin(["l2_error", "true_norm"])]
    panels.values_axis(grid[0, 0], errors, log=page.log, headroom=2)
    for metric, row in zip(UNINFORMED, grid[1:], strict=True):
        panels.centred_axis(row[0], points[points["metric"] == metric], UNINFORMED[metric], LEAST[metric])
    for (method, name), column in zip(methods.items(), grid.T, strict=True):
        column[0].set_title(name, loc="left", fontweight="bold", pad=4)
        here = points[points["method"] == method]
        for metric, axes in zip(ROWS, column, strict=True):
            if metric in UNINFORMED:
                axes.axhline(UNINFORMED[metric], color=style.FAINT, **style.DOTTED)
            else:
                panels.draw_dotted(axes, here[here["metric"] == "true_norm"], CUTS)
            panels.draw_curves(axes, here[here["metric"] == metric], CUTS)
    layout.label_axes(grid, "training iterations", *ROWS.values())
    return figure
