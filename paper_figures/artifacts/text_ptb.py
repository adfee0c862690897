"""The data that DNI with the auxiliary task needs to reach the result of BPTT over four times as many steps.

The paper states this in the text. On Penn Treebank, dni_aux with T = 5 is compared with bptt with T = 20, in pairs of
replicas with the same seed.
"""

from __future__ import annotations

from pathlib import Path

from paper_figures.claims.judging import judged_claims
from paper_figures.drawing import table_files
from paper_figures.names import DATASETS
from paper_figures.provenance.stamps import USUAL, Request

TITLE = "Penn Treebank: data that dni_aux with T = 5 needs to reach the result of bptt with T = 20 (text of the paper)"
OUTPUT = "tables/text_ptb.csv"

COLUMNS = {
    "table_rnn/ptb/lstm/bptt/truncation_length~20": "BPTT, T = 20: bits",
    "table_rnn/ptb/lstm/dni_aux/truncation_length~5": "DNI + Aux, T = 5: bits",
    "text_ptb/ptb/lstm/dni_aux/truncation_length~5": "Share of the data",
}


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .csv, .md, .tex and .json files, by suffix."""
    judged, runs = judged_claims(results, "table_rnn", Path(__file__).stem)
    judged = judged[judged["id"].isin(COLUMNS)]
    judged = judged.assign(Data=judged["dataset"].map(DATASETS), column=judged["id"].map(COLUMNS))
    return table_files.table_files(
        __file__,
        "Data needed to reach the result of BPTT with T = 20",
        results,
        request,
        runs,
        judged,
        lines=["Data"],
        columns=list(COLUMNS.values()),
        notes=[
            "Share of the data: data (time steps x batch size) until DNI + Aux first reaches the test error of BPTT's "
            "best snapshot, divided by BPTT's data up to that snapshot. It is computed for pairs with the same seed "
            "and interpolated linearly between evaluations. The paper's two results are from its table, rounded to "
            "0.01 bits."
        ],
    )
