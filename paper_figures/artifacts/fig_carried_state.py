"""Our ablation: Copy and Repeat Copy with the core's state carried from one sequence to the next.

The paper does not state whether the state is carried or cleared.
"""

from __future__ import annotations

from pathlib import Path

from paper_figures.drawing import curriculum_figure
from paper_figures.provenance.stamps import USUAL, Request

TITLE = "our ablation: Copy and Repeat Copy with the core's state carried from one sequence to the next"
OUTPUT = "figures/fig_carried_state.pdf"
SHOWN = curriculum_figure.SHOWN
EXPERIMENT = "carried_state"
ABOUT = (
    "Here the core keeps its state from one sequence to the next. In fig_copy_progress, this suite's default, each "
    "sequence starts with a state of zeros. The paper does not state which it used."
)


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    return curriculum_figure.make(__file__, TITLE, EXPERIMENT, results, request, ABOUT, addition=True)
