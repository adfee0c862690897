"""Stale gradients in place of synthetic ones (paper: "Every layer DNI", in the text), by depth and decay.

A hidden layer uses the exponential average of its true gradients of past iterations. For each depth, the paper gives
the error of the decay with the lowest test error. The column "Best decay" chooses among ours in the same way.
"""

from __future__ import annotations

from pathlib import Path

from paper_figures.claims.judging import judged_claims
from paper_figures.claims.matching import OPEN
from paper_figures.drawing import table_files
from paper_figures.provenance.stamps import USUAL, Request

TITLE = "stale gradients in place of synthetic ones: test error by depth and decay (text of the paper)"
OUTPUT = "tables/text_stale_gradients.csv"

BEST = "Best decay"


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .csv, .md, .tex and .json files, by suffix."""
    judged, runs = judged_claims(results, Path(__file__).stem)
    decays = sorted({run.cell["stale_decay"] for run in runs})
    cells = [f"stale_decay~{decay}" for decay in (*decays, OPEN)]
    shown = [{"layers": layers, "cell": cell} for layers in judged["layers"].unique() for cell in cells]
    judged = table_files.rows_of_cells(judged, runs, shown)
    headings = {cell: f"Decay {decay}" for cell, decay in zip(cells, decays, strict=False)} | {cells[-1]: BEST}
    judged = judged.assign(Layers=judged["layers"].astype(str), column=judged["cell"].map(headings))
    return table_files.table_files(
        __file__,
        "Stale gradients in place of synthetic ones",
        results,
        request,
        runs,
        judged,
        lines=["Layers"],
        columns=list(headings.values()),
        notes=[
            "Decay: decay factor of the exponential average of past true gradients. The paper prints the error of the "
            "decay with the lowest test error, but not the decays that it tried. Our best decay is chosen in the same "
            "way, which is optimistic."
        ],
    )
