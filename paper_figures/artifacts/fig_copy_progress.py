"""Copy and Repeat Copy: the longest task solved by each replica, against the data consumed ("Recurrent nets")."""

from __future__ import annotations

from pathlib import Path

from paper_figures.drawing import curriculum_figure
from paper_figures.provenance.stamps import USUAL, Request

TITLE = "Copy and Repeat Copy: longest task solved against data consumed"
OUTPUT = "figures/fig_copy_progress.pdf"
SHOWN = curriculum_figure.SHOWN
EXPERIMENT = "recurrent"


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    return curriculum_figure.make(__file__, TITLE, EXPERIMENT, results, request)
