"""Sparse updates: each layer is updated with probability p_update, in random order (paper: "Sparse updates")."""

from __future__ import annotations

from pathlib import Path

from paper_figures.drawing import p_update_figure
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import shown_runs

TITLE = "sparse updates: test error against the update probability of a layer"
OUTPUT = "figures/fig_sparse_updates.pdf"
EXPERIMENT = "unlock"
SHOWN: Shown = p_update_figure.SHOWN | {"unlock": ["sparse"]}


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    return p_update_figure.make(__file__, TITLE, shown_runs(results, EXPERIMENT, SHOWN), results, request)
