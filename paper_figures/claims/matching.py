"""The claims, read from `claims.csv` beside this file, and which cell, run and replicas each of them is about.

`claims.csv` fixes each published number, its margin and the margin's reason before anything is run.

A finding, an ordering or a trend that the paper states, is a claim like any other, whose `value` is the least or the
greatest that a difference, a slope or a ratio may be. Its id begins with "finding/", and it belongs to no drawing.

The columns `experiment`, `dataset`, `model`, `layers` and `method` name the cell that a claim is about (`layers` is
empty where it has no depth), and `cell` the fields that follow in the cell's path, spelled as there ("cut_after~1";
empty where none follows). A `*` for a value ("stale_decay~*") leaves that field open: of the runs that fit, the one
with the best mean of the claim's own metric is taken, as the paper did; `chosen` says which, and of how many.

- `replicas` selects those whose setting lies in a bin, "p_update 0.03-0.06": the lower end is in it and the upper one
  is not, but for 1.00, where a probability ends. Empty: all.
- `reference` is the cell that a claim about two cells compares its own with: the fields in which it differs, spelled as
  in a path ("method~bprop"), and "experiment~<name>" before them where it is another experiment's. Each replica is then
  compared with the one of its seed.
- `iteration` is empty where training ends by a rule of its own.
- `metric` is a key of `measures.MEASURES`, which says how it is read.
- `direction` is "two-sided", or "at most" or "at least" for a value that is a bound and has no margin (0).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

from paper_figures.files import CLAIMS_FILE
from paper_figures.runs import Run

OPEN = "*"  # a field of the cell that a claim leaves open
WHOLE_NUMBERS = ("layers", "iteration")  # columns of whole numbers, with <NA> where the cell is empty


@dataclass(frozen=True)
class Bin:
    """The replicas of a run whose `setting` lies in [low, high); [low, 1] where high is 1."""

    setting: str
    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a replica with this value of the setting is in the bin."""
        return self.low <= value < self.high or value == self.high == 1


def read_claims() -> pd.DataFrame:
    """The published numbers, one row each; `value`, `margin`, `reading_error` in the row's `unit`, or see `Measure`."""
    claims = pd.read_csv(CLAIMS_FILE, keep_default_na=False, na_values=dict.fromkeys(WHOLE_NUMBERS, ""))
    return claims.astype(dict.fromkeys(WHOLE_NUMBERS, "Int64"))  # the other empty cells are ""


def fields_of(path: str) -> dict[str, str]:
    """The fields that a path names, as text: {"cut_after": "1"} of "cut_after~1"."""
    return dict(part.split("~") for part in path.split("/") if part)


def cell_of(claim: dict[str, Any]) -> dict[str, str]:
    """The fields of the claim's cell as text, in the order of the path; `OPEN` for one that it leaves open."""
    further = fields_of(claim["cell"])
    fields = {"dataset": claim["dataset"], "model": claim["model"], "depth": claim["layers"], "method": claim["method"]}
    return {name: str(value) for name, value in {**fields, **further}.items() if not pd.isna(value)}


def experiments_of(claims: pd.DataFrame) -> set[str]:
    """The experiments that claims are about, and those of the cells that they compare theirs with."""
    references = [fields_of(reference) for reference in claims["reference"]]
    return {*claims["experiment"], *(fields["experiment"] for fields in references if "experiment" in fields)}


def bin_of(replicas: str) -> Bin | None:
    """A claim's selection of replicas, from "p_update 0.03-0.06"; None where it is about all of them (empty)."""
    found = re.fullmatch(r"(\w+) ([\d.]+)-([\d.]+)", replicas)
    if replicas and not found:
        raise ValueError(f"{replicas!r} selects no replicas: not of the form 'p_update 0.03-0.06'")
    return Bin(found[1], float(found[2]), float(found[3])) if found else None


def fits(claim: dict[str, Any], run: Run) -> bool:
    """Whether the run's cell is the claim's, but for the fields that the claim leaves open."""
    asked, found = cell_of(claim), run.cell
    if run.record.experiment != claim["experiment"] or asked.keys() != found.keys():
        return False
    return all(value in (OPEN, str(found[name])) for name, value in asked.items())


def reference_of(claim: dict[str, Any], run: Run, runs: list[Run]) -> Run | None:
    """The run that the claim compares `run` with: of the same cell but for the fields that its `reference` names."""
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
