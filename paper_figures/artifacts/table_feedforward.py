"""The paper's table of feed-forward test errors ("Every layer DNI"), with both frameworks' results and verdicts.

Three lines per net (paper, PyTorch, JAX) and one column per method, as in the paper. The .csv has one row per number.
"""

from __future__ import annotations

from pathlib import Path

from paper_figures.claims.judging import judged_claims
from paper_figures.drawing import captions, table_files
from paper_figures.names import DATASETS, FEEDFORWARD_METHODS, MODELS
from paper_figures.provenance.stamps import USUAL, Request

TITLE = "feed-forward nets with a DNI between every two layers: test error (table of the paper)"
OUTPUT = "tables/table_feedforward.csv"


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .csv, .md, .tex and .json files, by suffix."""
    judged, runs = judged_claims(results, Path(__file__).stem)
    judged = judged.assign(
        Data=judged["dataset"].map(DATASETS),
        Model=judged["model"].map(MODELS),
        Layers=judged["layers"].astype(str),
        column=judged["method"].map(FEEDFORWARD_METHODS),
    )
    return table_files.table_files(
        __file__,
        "Feed-forward nets, a DNI between every two layers",
        results,
        request,
        runs,
        judged,
        lines=["Data", "Model", "Layers"],
        columns=list(FEEDFORWARD_METHODS.values()),
        notes=[captions.DEPTH_CHOSEN_ON_TEST],
    )
