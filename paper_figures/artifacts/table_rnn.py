"""The paper's table of recurrent nets: task lengths of Copy and Repeat Copy, bits per character of Penn Treebank.

Three lines per data set and method (paper, PyTorch, JAX) and one column per truncation length T.
"""

from __future__ import annotations

from pathlib import Path

from paper_figures.claims.judging import judged_claims
from paper_figures.claims.matching import cell_of
from paper_figures.drawing import table_files
from paper_figures.names import DATASETS, RECURRENT_METHODS
from paper_figures.provenance.stamps import USUAL, Request

TITLE = "recurrent nets: task lengths solved, and bits per character (table of the paper)"
OUTPUT = "tables/table_rnn.csv"

UNITS = {"max_solved_task_length": "time steps ↑", "test_bits_per_character": "bits ↓"}


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .csv, .md, .tex and .json files, by suffix."""
    judged, runs = judged_claims(results, Path(__file__).stem)
    lengths = [cell_of(row)["truncation_length"] for row in judged.to_dict("records")]
    judged = judged.assign(
        Data=judged["dataset"].map(DATASETS),
        Unit=judged["metric"].map(UNITS),
        Method=judged["method"].map(RECURRENT_METHODS),
        column=[f"T = {length}" for length in lengths],
    )
    return table_files.table_files(
        __file__,
        "Recurrent nets, by truncation length T",
        results,
        request,
        runs,
        judged,
        lines=["Data", "Unit", "Method"],
        blocks="Unit",
        columns=[f"T = {length}" for length in sorted(set(lengths), key=int)],
        notes=[
            "Copy, Repeat Copy (higher is better): the longest task solved, T_task, after 2,500,000 iterations; the "
            "paper does not state this number. Means, intervals [in brackets] and verdicts are computed in steps of "
            "the curriculum, and one step is the margin.",
            "Penn Treebank (lower is better): the result at the evaluation before the validation error first rises. A "
            "training in which it has not risen yet is not comparable.",
        ],
    )
