"""Our ablation: Repeat Copy with one choice about the task changed after the other.

The paper does not state these choices, apart from the step in which the number of repeats is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from paper_figures.claims.matching import read_claims
from paper_figures.drawing import curriculum_figure, layout, panels, style
from paper_figures.drawing.curriculum_figure import COLUMNS, METRIC
from paper_figures.drawing.figure_files import figure_files
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import select_runs, shown_runs

TITLE = "our ablation: Repeat Copy, T = 3, one choice about the task changed after the other"
OUTPUT = "figures/fig_repeat_copy_choices.pdf"
EXPERIMENT = "repeat_copy_choices"

TASK = "repeat_copy"
SHOWN: Shown = {"dataset": [TASK], "model": ["lstm"], "truncation_length": [3]}
FIRST: dict[str, Any] = {
    "repeats_step": "with_stop",
    "level_draw": "fixed",
    "carry_state": False,
    "solved_unit": "character",
}
LATER = FIRST | {"repeats_step": "own"}
DRAWN = LATER | {"level_draw": "uniform"}
CARRIED = DRAWN | {"carry_state": True}
SETTINGS = {
    "read with the stop": FIRST,
    "read one step later": LATER,
    "sizes drawn": DRAWN,
    "state carried over": CARRIED,
    "error per sequence": CARRIED | {"solved_unit": "sequence"},
}
ABOUT = (
    "From panel to panel one more choice changes: when the number of repeats is read, whether every sequence draws its "
    "length and repeats up to those of its level, whether the state is carried from one sequence to the next, and "
    "whether the error of the rule for a promotion is one of characters or of sequences. Only settings with a run have "
    "a panel."
)


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    claims = read_claims()
    claims = claims[(claims["metric"] == METRIC) & (claims["dataset"] == TASK)]
    claims = claims[claims["cell"] == "truncation_length~3"]
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    rows, ran = [], []
    for setting, fields in SETTINGS.items():
        found = select_runs(runs, **fields)
        if found:
            ran += found
            here = [row for run in found for row in curriculum_figure.replica_rows(run)]
            papers = curriculum_figure.paper_rows(claims) if curriculum_figure.have_the_papers_task(found) else []
            rows += [[setting, *row] for row in [*here, *papers]]
    points = pd.DataFrame(rows, columns=["setting", *COLUMNS]).astype({"seed": "Int64", "iteration": "Int64"})
    sentences = [
        ABOUT,
        "One line per replica; a dot marks each promotion. Data: iterations x truncation length x batch size. "
        "Diamonds: the paper's table, the same in all panels; their position along the data axis has no meaning."
        if (points["source"] == "paper").any()
        else curriculum_figure.NO_DIAMONDS,
    ]
    return figure_files(
        __file__, TITLE, results, request, ran, points, sentences, _draw, addition=True, length_stated=False
    )


def _draw(points: pd.DataFrame, page: style.Page) -> Figure:
    ours = points[points["obtained"] == "run"]
    settings = list(dict.fromkeys(points["setting"]))
    legend = curriculum_figure.legend_of(points)
    figure, grid = layout.grid(page, 1, len(settings), 2.2, legend=[legend], sharey="row")
    panels.iterations_axis(grid[0, 0], ours.assign(millions=ours["data"] / 1e6), log=page.log, x="millions")
    curriculum_figure.curriculum_axis(grid[0, 0], TASK, points["value"].max(), 2.4)
    for axes, setting in zip(grid[0], settings, strict=True):
        axes.set_title(setting, loc="left", fontweight="bold", fontsize=style.SMALL, pad=4)
        curriculum_figure.panel(axes, TASK, points[points["setting"] == setting])
    layout.label_axes(grid, "data consumed (million time steps × batch)", "task length solved")
    return figure
