"""A judged claim, a row of `judging.judge`, in words: what it is about, and the number that it states."""

from __future__ import annotations

import pandas as pd

from paper_figures.claims.matching import cell_of
from paper_figures.claims.statistics import TWO_SIDED
from paper_figures.drawing.table_files import paper_text
from paper_figures.names import DATASETS, METHODS, MODELS
from paper_figures.report.claims import statement

HYPOTHESES = "hypotheses"  # what claims of our own have for an artifact: they are no claims of the paper
FINDINGS = "claims"  # what the claims that state an ordering or a trend have for an artifact: no table of the paper
LONGER_METRICS = {
    "data_fraction_to_reach_bptt20": "share of the data until BPTT's result with T = 20",
    "steps_fraction_a": "network A: share of joint backprop's steps until its final error",
    "steps_fraction_b": "network B: share of joint backprop's steps until its final error",
    "final_difference_b": "network B: final error minus joint backprop's",
    "excess_over_guess_b": "network B: how far its error lies below the best guess's",
}


def describe_claim(claim: pd.Series) -> str:
    """What a claim is about: "MNIST, fully connected, 4 layers, cDNI, 25,000 iterations"."""
    cell = cell_of(claim)
    names = {
        "truncation_length": "T = {}",
        "period": "T = {}",
        "cut_after": "cut after layer {}",
        "link_delay": "L = {}",
    }
    if cell.get("cut_after") == "0":
        names["cut_after"] = "no cut"
    parts = [DATASETS[cell["dataset"]], "" if cell["model"] == "lstm" else MODELS[cell["model"]]]
    parts += [f"{cell['depth']} layers" if "depth" in cell else "", METHODS[cell["method"]]]
    parts += [names[name].format(value) for name, value in cell.items() if name in names]
    parts += [claim["replicas"], LONGER_METRICS.get(claim["metric"], "")]
    if claim["obtained"] == "digitised" and not pd.isna(claim["iteration"]):
        parts.append(f"{claim['iteration']:,} iterations")
    said = f"{statement(claim)}: " if claim["artifact"] in (FINDINGS, HYPOTHESES) else ""
    return said + ", ".join(part for part in parts if part)


def published_number(claim: pd.Series) -> str:
    """What the paper or our hypothesis says: a number, its unit, and "at most" or "at least" if it is a bound."""
    bound = "" if claim["direction"] == TWO_SIDED else f"{claim['direction']} "
    unit = "" if claim["unit"] == "ratio" else f" {claim['unit']}"
    return f"{bound}{paper_text(claim)}{unit}"
