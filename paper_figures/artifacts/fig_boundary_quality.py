"""How well the synthetic gradient at the end of a chunk predicts its target, on Copy and Repeat Copy (our addition).

Rows: explained variance and cosine similarity, at boundaries where the sequence is read or written. Columns: task and
method. Colours: truncation length T.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures.drawing import layout, panels, style
from paper_figures.drawing.curve_points import our_points
from paper_figures.drawing.figure_files import figure_files, replicas_sentence
from paper_figures.drawing.notes import curve_notes
from paper_figures.names import DATASETS, RECURRENT_METHODS
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import shown_runs

TITLE = "Copy and Repeat Copy (our addition): how well M predicts the gradient at chunk boundaries"
OUTPUT = "figures/fig_boundary_quality.pdf"
EXPERIMENT = "recurrent"

TASKS, METHODS = ("copy", "repeat_copy"), ("dni", "dni_aux")
LENGTHS = panels.Family(
    "truncation_length", {length: style.TRUNCATION_LENGTHS[length] for length in (2, 3, 4, 5)}, "T = {}"
)
SHOWN: Shown = {"dataset": TASKS, "model": ["lstm"], "method": METHODS, "truncation_length": LENGTHS.colours}
QUALITIES = {"explained_variance": "expl. variance", "cosine_similarity": "cosine"}
PHASES = {"read": "reading", "write": "writing"}
ROWS = {f"{quality}.{phase}": f"{QUALITIES[quality]}, {PHASES[phase]}" for quality, phase in product(QUALITIES, PHASES)}
TITLES = {
    dataset + method: f"{DATASETS[dataset]}, {RECURRENT_METHODS[method]}" for dataset, method in product(TASKS, METHODS)
}
LOWEST = -0.5  # lowest value shown; an explained variance has no lower bound
LEAST = 0.2  # smallest range shown on both sides of 0


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    fields = ["dataset", "method", "truncation_length"]
    points = pd.concat([our_points(runs, fields, "batch", metric) for metric in ROWS], ignore_index=True)
    points.insert(3, "panel", points["dataset"] + points["method"])
    sentences = [
        replicas_sentence(runs, "mean"),
        "The prediction of M is compared with its target at the chunk boundaries of the training batch, separately for "
        "boundaries where the sequence is read and where it is written. Explained variance: 1 is a perfect prediction, "
        f"and 0 is the value of a zero gradient; values below {LOWEST:g} are outside the panel. Cosine similarity: 0 "
        "is the value of a gradient unrelated to the target. Dotted lines are at 0.",
        *curve_notes(points, LENGTHS, "panel", TITLES),
    ]
    return figure_files(
        __file__, TITLE, results, request, runs, points, sentences, _draw, addition=True, length_stated=False
    )


def _draw(points: pd.DataFrame, page: style.Page) -> Figure:
    titles = {panel: title for panel, title in TITLES.items() if panel in set(points["panel"])}
    dotted = Line2D([], [], label="zero or unrelated gradient", color=style.INK, **style.DOTTED)
    legend = [*layout.frameworks_legend(points), dotted, *LENGTHS.drawn(points).legend()]
    figure, grid = layout.grid(page, len(ROWS), len(titles), 1.1, legend=[legend], sharey="row", between_rows=0.16)
    points = points.assign(thousands=points["iteration"] / 1000)  # short labels, which fit in four columns
    panels.iterations_axis(grid[0, 0], points, log=page.log, x="thousands")
    for metric, row in zip(ROWS, grid, strict=True):
        here = points[points["metric"] == metric]
        panels.centred_axis(row[0], here.assign(value=here["value"].clip(LOWEST, 1)), 0, LEAST)
        for panel, axes in zip(titles, row, strict=True):
            axes.axhline(0, color=style.FAINT, **style.DOTTED)
            panels.draw_curves(axes, here[here["panel"] == panel], LENGTHS, x="thousands")
    for title, axes in zip(titles.values(), grid[0], strict=True):
        axes.set_title(title, loc="left", fontweight="bold", fontsize=style.SMALL, pad=4)
    layout.label_axes(grid, "thousand iterations", *ROWS.values())
    for axes in grid[:, 0]:
        axes.yaxis.label.set_size(style.SMALL)
    return figure
