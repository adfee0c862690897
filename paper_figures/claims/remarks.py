"""What a reader of a verdict must know besides: a claim younger than its run, other methods that fit, edited code."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import pandas as pd

from paper_figures.claims.curriculum import to_steps
from paper_figures.claims.measures import MEASURES
from paper_figures.claims.statistics import TWO_SIDED, UNJUDGED
from paper_figures.names import METHODS

MEANINGS = {
    "post hoc": "the value, margin or direction of the claim was last changed after the start of the run",
    "also fits": "the paper's number of another method for the same cell is within the margin, so the verdict does not "
    "tell these methods apart",
    "uncommitted code": "the run was made from code with edits that no commit has",
}
RESOLVES = (
    "resolves: the half-width of our 95% prediction interval in margins of the paper's number; the smaller, the more "
    "the verdict says"
)
SUCCESSES = ("reproduced", "consistent")  # verdicts that say something of the method
SAME_CELL = ["artifact", "experiment", "dataset", "model", "layers", "cell", "replicas", "iteration", "metric"]


def also_fits(claims: pd.DataFrame) -> pd.Series:
    """By row, the other methods ("bprop, cdni") whose published number of the same cell is inside the claim's margin.

    Task lengths are compared in steps of their curriculum, as verdicts are.
    """
    rows = claims.to_dict("records")
    cells: dict[tuple, list[dict[str, Any]]] = {}
    for claim in rows:
        if _is_number(claim):
            cells.setdefault(_same_cell(claim), []).append(claim)
    names = [_near(claim, cells[_same_cell(claim)]) if _is_number(claim) else "" for claim in rows]
    return pd.Series(names, claims.index, dtype=str)


def _near(claim: dict[str, Any], cell: list[dict[str, Any]]) -> str:
    here = _judged_value(claim)
    others = [other for other in cell if other["method"] != claim["method"]]
    # Rounded, because 2.2 - 1.9 is a little more than 0.3 in binary, and a margin is exclusive.
    return ", ".join(o["method"] for o in others if round(abs(_judged_value(o) - here), 9) < claim["margin"])


def _is_number(claim: dict[str, Any]) -> bool:
    """Whether the claim is one number of one cell, as that of another method can be."""
    return claim["direction"] == TWO_SIDED and not claim["reference"]


def _judged_value(claim: dict[str, Any]) -> float:
    on_ladder = MEASURES[claim["metric"]].on_ladder
    return float(to_steps(claim["dataset"], claim["value"]) if on_ladder else claim["value"])


def _same_cell(claim: dict[str, Any]) -> tuple:
    return tuple("" if pd.isna(claim[name]) else claim[name] for name in SAME_CELL)


def is_post_hoc(since: str, started: list[str]) -> bool:
    """Whether a claim is younger than one of the runs that it is judged by.

    Args:
        since: the date of the claim in ISO 8601; empty for one that was changed and not committed since.
        started: the starts of the runs, in ISO 8601.
    """
    return bool(started) and (not since or datetime.fromisoformat(since) > min(map(datetime.fromisoformat, started)))


def remarks(row: pd.Series | dict[str, Any]) -> list[str]:
    """The remarks on one judged claim, in words: ["post hoc", "also fits Backprop"]."""
    if row["verdict"] in ("", "missing"):
        return []
    found = ["post hoc"] if row["post_hoc"] and row["verdict"] not in UNJUDGED else []
    if row["verdict"] in SUCCESSES and row["also_fits"]:
        found.append(f"also fits {' and '.join(METHODS[name] for name in row['also_fits'].split(', '))}")
    return [*found, *(["uncommitted code"] if row["uncommitted_code"] else [])]


def verdict_text(row: pd.Series | dict[str, Any]) -> str:
    """The verdict with its remarks and resolving power: "reproduced, post hoc, also fits Backprop, resolves 0.70"."""
    resolves = [f"resolves {resolves_text(row)}"] if _has_resolves(row) else []
    return ", ".join([verdict_and_remarks(row), *resolves])


def verdict_and_remarks(row: pd.Series | dict[str, Any]) -> str:
    """The same without the resolving power."""
    return ", ".join([row["verdict"], *remarks(row)])


def _has_resolves(row: pd.Series | dict[str, Any]) -> bool:
    """Whether the verdict rests on an interval: not on conditions, and not on a replica that diverged."""
    return row["verdict"] not in UNJUDGED and not row["n_diverged"] and not math.isnan(row["resolves"])


def resolves_text(row: pd.Series | dict[str, Any]) -> str:
    """`resolves` to two digits, "0.63", "1.3"; empty where it is not known."""
    resolves = row["resolves"]
    return "" if math.isnan(resolves) else f"{resolves:.{2 if resolves < 1 else 1}f}"


def meanings_of(rows: pd.DataFrame, with_resolves: bool = True) -> str:
    """What the words after the verdicts of these rows mean, in one sentence; empty if there are none."""
    used = [text for row in rows.to_dict("records") for text in remarks(row)]
    found = [f"{name}: {meaning}" for name, meaning in MEANINGS.items() if any(text.startswith(name) for text in used)]
    found += [RESOLVES] if with_resolves and any(map(_has_resolves, rows.to_dict("records"))) else []
    return f"{'; '.join(found)}." if found else ""
