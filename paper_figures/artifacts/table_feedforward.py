"""The paper's table of feed-forward test errors ("Every layer DNI"), beside both frameworks' with verdicts.

Three lines per net (paper, PyTorch, JAX) and one column per method, as in the paper; `.csv` has one row per number.
"""

from __future__ import annotations

from pathlib import Path

from paper_figures.claims.judging import judge
from paper_figures.drawing import captions, table_files

TITLE = "feed-forward nets with a DNI between every two layers: test error (table of the paper)"
OUTPUT = "tables/table_feedforward.csv"


def make(results: Path) -> dict[str, bytes]:
    """The contents of the .csv, .md, .tex and .json files, by suffix."""
    claims, runs = table_files.read(Path(__file__).stem, results)
    judged = judge(claims, runs)
    judged = judged.assign(
        Data=judged["dataset"].map(captions.DATASETS),
        Model=judged["model"].map(captions.MODELS),
        Layers=judged["layers"].astype(str),
        column=judged["method"].map(captions.METHODS),
    )
    return table_files.table_files(
        __file__,
        "Feed-forward nets, a DNI between every two layers",
        results,
        runs,
        judged,
        lines=["Data", "Model", "Layers"],
        columns=list(captions.METHODS.values()),
        notes=[captions.DEPTH_CHOSEN_ON_TEST],
    )
