"""A very deep net, 21 layers with 20 DNIs: cDNI compared with backprop (paper: "Every layer DNI", in the text)."""

from __future__ import annotations

from pathlib import Path

from paper_figures.claims.judging import judged_claims
from paper_figures.drawing import table_files
from paper_figures.names import FEEDFORWARD_METHODS
from paper_figures.provenance.stamps import USUAL, Request

TITLE = "a net of 21 layers, 20 DNIs: test error of cDNI and of backprop (text of the paper)"
OUTPUT = "tables/text_deep.csv"

METHODS = ("bprop", "cdni")
SAME = "the same"


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .csv, .md, .tex and .json files, by suffix."""
    judged, runs = judged_claims(results, Path(__file__).stem)
    judged = table_files.rows_of_cells(judged, runs, [{"method": method} for method in METHODS])
    judged = judged.assign(
        Layers=judged["layers"].astype(str),
        column=judged["method"].map(FEEDFORWARD_METHODS),
        printed=judged["method"].map({"bprop": SAME}).fillna(""),
    )
    return table_files.table_files(
        __file__,
        "A very deep feed-forward net, a DNI between every two layers",
        results,
        request,
        runs,
        judged,
        lines=["Layers"],
        columns=[FEEDFORWARD_METHODS[method] for method in METHODS],
        notes=["The paper states that backprop has the same error, but prints no number. So ours has no verdict."],
    )
