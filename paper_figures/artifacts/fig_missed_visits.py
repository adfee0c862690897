"""Our ablation: what Adam does with a layer that is not visited in sparse updates.

The paper does not state it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from paper_figures.claims.matching import read_claims
from paper_figures.drawing import p_update_figure
from paper_figures.drawing.figure_files import figure_files
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import shown_runs

TITLE = "our ablation: sparse updates of cDNI, and what Adam does with a layer that is not visited"
OUTPUT = "figures/fig_missed_visits.pdf"
EXPERIMENT = "missed_visits"

SHOWN: Shown = p_update_figure.SHOWN | {"method": ["cdni"], "unlock": ["sparse"]}
SETTINGS = {
    "frozen": {"unvisited": "frozen", "synthetic_gradient_depth": 0},
    "zero gradient": {"unvisited": "zero_gradient", "synthetic_gradient_depth": 0},
    "zero gradient, deeper M": {"unvisited": "zero_gradient", "synthetic_gradient_depth": 1},
}
LAST = 25_000  # iterations; the ablation has no later snapshot
ABOUT = (
    "A layer that is not visited is left as it is (frozen), or Adam updates it with a gradient of zero. M is linear, "
    "the deeper M has one hidden layer. The paper states neither the one nor the other. Its bars are the same in all "
    "rows."
)


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    claims = read_claims()
    claims = claims[claims["artifact"] == "fig_sparse_updates"]
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    rows = {title: {"method": "cdni", **fields} for title, fields in SETTINGS.items()}
    points = p_update_figure.figure_points(runs, claims, rows)
    if p_update_figure.at_paper_scale(runs):
        points = points[points["snapshot"] <= LAST]
    draw = partial(p_update_figure.figure, runs=runs, rows=rows)
    sentences = [ABOUT, *p_update_figure.sentences(runs, points, rows)]
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, draw, addition=True)
