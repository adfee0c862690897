"""Reads the claims from `claims.csv` in this folder, and finds the cell, run and replicas of each claim.

`claims.csv` has each published number, its margin and the reason for the margin. `claims.json` has the date since when
value, margin and direction are what they are (`history`): a verdict on an older run is marked *post hoc*.

A finding is an ordering or a trend that the paper states. It is a claim whose `value` is the lower or upper bound of a
difference, a slope or a ratio. Its id begins with "finding/", and it belongs to no drawing. A hypothesis of this suite
about an addition has the same form; its id begins with "hypothesis/", and it is not counted among the paper's.

The columns `experiment`, `dataset`, `model`, `layers` and `method` identify the cell of a claim (`layers` is empty if
the cell has no depth). The column `cell` contains the remaining fields of the cell's path, as spelled there
("cut_after~1"; empty if there are none). A value of `*` ("stale_decay~*") leaves a field open. Of the runs that fit,
the one with the best mean of the claim's metric is then used, as in the paper. `chosen` states which one, and of how
many.

- `replicas` selects the replicas whose setting is in a bin, such as "p_update 0.03-0.06". The bin includes its lower
  end, and excludes its upper end unless this is 1.00. Empty: all replicas.
- `reference` is the second cell of a claim about two cells: the fields in which it differs from the first, spelled as
  in a path ("method~bprop"), after "experiment~<name>" if it belongs to a different experiment. Replicas with the same
  seed are then compared.
- `iteration` is empty if training ends by a stopping rule.
- `metric` is a key of `measures.MEASURES`, which defines how it is read.
- `direction` is "two-sided", or "at most" or "at least" for a value that is a bound and has no margin (0).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

from paper_figures.claims.history import read_dates, terms_of
from paper_figures.files import CLAIMS_FILE
from paper_figures.runs import Run

OPEN = "*"  # a field of the cell that a claim leaves open
WHOLE_NUMBERS = ("layers", "iteration")  # columns of whole numbers, with <NA> where the cell is empty


@dataclass(frozen=True)
class Bin:
    """The replicas of a run whose `setting` is in [low, high), or in [low, 1] if high is 1."""

    setting: str
    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a replica with this value of the setting is in the bin."""
        return self.low <= value < self.high or value == self.high == 1


def read_claims() -> pd.DataFrame:
    """The claims, one row each, with `since`, the date of its last change ("" if that is not committed).

    `value`, `margin` and `reading_error` are in the row's `unit`, or see `Measure`.
    """
    claims = pd.read_csv(CLAIMS_FILE, keep_default_na=False, na_values=dict.fromkeys(WHOLE_NUMBERS, ""))
    dates, unknown = read_dates(), (None, "")
    known = [(terms_of(claim), *dates.get(claim["id"], unknown)) for claim in claims.to_dict("records")]
    claims["since"] = [since if terms == dated else "" for terms, dated, since in known]
    return claims.astype(dict.fromkeys(WHOLE_NUMBERS, "Int64"))  # the other empty cells are ""


def fields_of(path: str) -> dict[str, str]:
    """The fields of a path as text: {"cut_after": "1"} for "cut_after~1"."""
    return dict(part.split("~") for part in path.split("/") if part)


def cell_of(claim: dict[str, Any]) -> dict[str, str]:
    """The fields of the claim's cell as text, in the order of the path; `OPEN` for an open field."""
    further = fields_of(claim["cell"])
    fields = {"dataset": claim["dataset"], "model": claim["model"], "depth": claim["layers"], "method": claim["method"]}
    return {name: str(value) for name, value in {**fields, **further}.items() if not pd.isna(value)}


def experiments_of(claims: pd.DataFrame) -> set[str]:
    """The experiments of the claims' cells and of their reference cells."""
    references = [fields_of(reference) for reference in claims["reference"]]
    return {*claims["experiment"], *(fields["experiment"] for fields in references if "experiment" in fields)}


def bin_of(replicas: str) -> Bin | None:
    """The bin of a claim's replicas, from text such as "p_update 0.03-0.06"; None for empty text: all replicas."""
    found = re.fullmatch(r"(\w+) ([\d.]+)-([\d.]+)", replicas)
    if replicas and not found:
        raise ValueError(f"{replicas!r} selects no replicas: not of the form 'p_update 0.03-0.06'")
    return Bin(found[1], float(found[2]), float(found[3])) if found else None


def fits(claim: dict[str, Any], run: Run) -> bool:
    """Whether the run's cell is the claim's, except for the fields that the claim leaves open."""
    asked, found = cell_of(claim), run.cell
    if run.record.experiment != claim["experiment"] or asked.keys() != found.keys():
        return False
    return all(value in (OPEN, str(found[name])) for name, value in asked.items())


def reference_of(claim: dict[str, Any], run: Run, runs: list[Run]) -> Run | None:
    """The run that the claim compares `run` with: its cell differs from that of `run` in the fields of `reference`."""
    others = fields_of(claim["reference"])
    experiment = others.pop("experiment", claim["experiment"])
    cell = _as_text(run.cell) | others
    for other in runs:
        # Another experiment's cell may have fewer fields.
        if other.record.experiment == experiment and _as_text(other.cell).items() <= cell.items():
            return other
    return None


def _as_text(cell: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in cell.items()}
