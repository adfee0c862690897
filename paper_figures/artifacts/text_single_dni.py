"""One DNI at a chosen place in a net of 6 layers, by cut and method (paper: "Single DNI", in the text)."""

from __future__ import annotations

from pathlib import Path

from paper_figures.claims.judging import judged_claims
from paper_figures.claims.matching import cell_of
from paper_figures.drawing import captions, table_files
from paper_figures.names import FEEDFORWARD_METHODS
from paper_figures.provenance.stamps import USUAL, Request

TITLE = "one DNI after layer 1 to 5 of a net of 6 layers: test error (text of the paper)"
OUTPUT = "tables/text_single_dni.csv"

UNCUT = "cut_after~0"
CUTS = ("cut_after~1", "cut_after~2", "cut_after~3", "cut_after~4", "cut_after~5")


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .csv, .md, .tex and .json files, by suffix."""
    judged, runs = judged_claims(results, Path(__file__).stem)
    shown = [{"method": "bprop", "cell": UNCUT}]
    shown += [{"method": method, "cell": cut} for cut in CUTS for method in ("no_bprop", "dni", "cdni")]
    judged = table_files.rows_of_cells(judged, runs, shown)
    cuts = [cell_of(row)["cut_after"] for row in judged.to_dict("records")]
    judged = judged.assign(column=judged["method"].map(FEEDFORWARD_METHODS), **{"Cut after layer": cuts})
    judged["Cut after layer"] = judged["Cut after layer"].replace("0", "no cut")
    return table_files.table_files(
        __file__,
        "One DNI in a net of 6 layers",
        results,
        request,
        runs,
        judged,
        lines=["Cut after layer"],
        columns=list(FEEDFORWARD_METHODS.values()),
        notes=[
            "No backprop: no gradient is sent across the cut. The paper prints no number for the empty cells of its "
            "lines. " + captions.DEPTH_CHOSEN_ON_TEST
        ],
    )
