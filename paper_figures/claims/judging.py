"""Judges claims: every published number, and every finding in words, beside ours, with a verdict.

`claims.csv` beside this file fixes each published number, its margin and the margin's reason before anything is run.

A finding, an ordering or a trend that the paper states, is a claim like any other, whose `value` is the least or the
greatest that a difference, a slope or a ratio may be; its id begins with "finding/", and it belongs to no drawing.

A claim names the cell that it is about: `experiment`, `dataset`, `model`, `layers`, `method`, and in `cell` the fields
that follow in the cell's path, spelled as there ("cut_after~1"; empty where none follows). A `*` for a value
("stale_decay~*") leaves that field open: of the runs that fit, the one with the best mean of the claim's own metric is
taken, as the paper did; the column `chosen` says which, and of how many. `replicas` selects those whose setting lies in
a bin, "p_update 0.03-0.06": the lower end is in it and the upper one is not, but for 1.00, where a probability ends.
`reference` is what a claim about two cells compares its own with: the fields in which the other one differs, spelled as
in a path ("method~bprop"), and "experiment~<name>" before them where it is another experiment's. Each replica is then
held against that of its seed. `layers` is empty where the cell has no depth, and `iteration` where training ends by a
rule of its own. `direction` is "two-sided", or "at most" or "at least" for a value that is a bound and has no margin
(0). What a `metric` is, and how it is judged, stands in `measures.MEASURES`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from paper_figures.claims.curriculum import to_lengths, to_steps
from paper_figures.claims.measures import MEASURES, Measure
from paper_figures.claims.single_run import Reading, without_values
from paper_figures.claims.statistics import Verdict, summarise, verdict
from paper_figures.files import CLAIMS_FILE
from paper_figures.runs import Run

FRAMEWORKS = {"torch": "PyTorch", "jax": "JAX"}
OPEN = "*"  # a field of the cell that a claim leaves open
WHOLE = ("layers", "iteration")  # columns of whole numbers, with <NA> where the cell is empty


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
    claims = pd.read_csv(CLAIMS_FILE, keep_default_na=False, na_values=dict.fromkeys(WHOLE, ""))
    return claims.astype(dict.fromkeys(WHOLE, "Int64"))  # the other empty cells are ""


def fields_of(path: str) -> dict[str, str]:
    """The fields that a path names, as text: {"cut_after": "1"} of "cut_after~1"."""
    return dict(part.split("~") for part in path.split("/") if part)


def cell_of(claim: dict) -> dict[str, str]:
    """The fields of the claim's cell as text, in the order of the path; `OPEN` for one that it leaves open."""
    further = fields_of(claim["cell"])
    fields = {"dataset": claim["dataset"], "model": claim["model"], "depth": claim["layers"], "method": claim["method"]}
    return {name: str(value) for name, value in {**fields, **further}.items() if not pd.isna(value)}


def bin_of(replicas: str) -> Bin | None:
    """A claim's selection of replicas, from "p_update 0.03-0.06"; None where it is about all of them (empty)."""
    if not replicas:
        return None
    setting, low, high = re.fullmatch(r"(\w+) ([\d.]+)-([\d.]+)", replicas).groups()
    return Bin(setting, float(low), float(high))


def judge(claims: pd.DataFrame, runs: list[Run]) -> pd.DataFrame:
    """One row per claim and framework: the claim's columns, then ours (those of `_judge_one`).

    A claim whose `value` is NaN has no published number: ours is shown, with no verdict but that it is not comparable.
    """
    rows = []
    for claim in claims.to_dict("records"):
        for framework in FRAMEWORKS:
            candidates = [run for run in runs if run.record["framework"] == framework]
            rows.append({**claim, "framework": framework, **_judge_one(claim, candidates)})
    return pd.DataFrame(rows).astype(dict.fromkeys([*WHOLE, "ours_iteration"], "Int64"))


def fits(claim: dict, run: Run) -> bool:
    """Whether the run's cell is the claim's, but for the fields that the claim leaves open."""
    asked, found = cell_of(claim), run.record["cell"]
    if run.record["experiment"] != claim["experiment"] or asked.keys() != found.keys():
        return False
    return all(value in (OPEN, str(found[name])) for name, value in asked.items())


def read(claim: dict, run: Run, runs: list[Run]) -> Reading:
    """Our values for the claim, from a run that fits it; its reference, if it has one, is sought among `runs`."""
    measure, chosen = MEASURES[claim["metric"]].of_cell(run), bin_of(claim["replicas"])
    iteration = None if pd.isna(claim["iteration"]) else int(claim["iteration"])
    reference = reference_of(claim, run, runs) if claim["reference"] else None
    if claim["reference"] and reference is None:
        return without_values(f"no run of {claim['reference']} to compare with")
    if chosen:
        seeds = [seed for seed, value in run.replica_setting(chosen.setting).items() if chosen.holds(value)]
        if not seeds:
            where = f"{chosen.setting} in {chosen.low:.2f}-{chosen.high:.2f}"
            return without_values(f"none of the {len(run.record['seeds'])} replicas has {where}")
        run = replace(run, curves=run.curves[run.curves["seed"].isin(seeds)])
    return measure.read(run, measure, iteration, reference)


def reference_of(claim: dict, run: Run, runs: list[Run]) -> Run | None:
    """The run that the claim compares `run` with: of the same cell but for the fields that its `reference` names."""
    others = fields_of(claim["reference"])
    experiment = others.pop("experiment", claim["experiment"])
    cell = _as_text(run.record["cell"]) | others
    for other in runs:
        # Another experiment's cell may have fewer fields.
        if other.record["experiment"] == experiment and _as_text(other.record["cell"]).items() <= cell.items():
            return other
    return None


def of_sections(judged: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The judged claims by section of the paper, in the order of claims.csv."""
    return dict(iter(judged.groupby("section", sort=False)))


def _judge_one(claim: dict, candidates: list[Run]) -> dict:
    measure = MEASURES[claim["metric"]]
    runs = [run for run in candidates if fits(claim, run)]
    readings = [read(claim, run, candidates) for run in runs]
    best = _best(readings, measure)
    run = None if best is None else runs[best]
    reading = without_values("") if best is None else readings[best]
    result = _verdict(claim, reading, measure)
    word, why = result.word, result.why
    if run is None:
        word, why = "missing", "no run of this cell; `python -m impls list` shows the command that makes it"
    elif reading.obstacles:
        word = "not comparable"  # even where the run recorded nothing
        diverged = [f"{result.n_diverged} replicas {measure.failure}"] if result.n_diverged else []
        why = "; ".join([*reading.obstacles, *diverged])
    elif reading.gap:
        word, why = "missing", reading.gap
    return {
        "ours": result.mean,
        "ours_iteration": reading.iteration,
        "low": result.low,
        "high": result.high,
        "prediction_low": result.prediction_low,
        "prediction_high": result.prediction_high,
        "n": result.n,
        "n_diverged": result.n_diverged,
        "p_equivalence": result.p_equivalence,
        "verdict": word,
        "why": why,
        "chosen": _describe_choice(claim, runs, readings, best),
        "run": run.path if run else None,
    }


def _best(readings: list[Reading], measure: Measure) -> int | None:
    """Which of the runs that fit speaks: one with values, comparable if any is, and then the one with the best mean.

    A run with a diverged replica has no mean and comes after all that have one.
    """

    def rank(number: int) -> tuple[bool, bool, float]:
        values, obstacles = readings[number].values, readings[number].obstacles
        mean = float(np.mean(values.to_numpy())) if len(values) else math.nan
        loss = mean if measure.lower_is_better else -mean
        return len(values) == 0, bool(obstacles), loss if math.isfinite(loss) else math.inf

    return min(range(len(readings)), key=rank, default=None)


def _describe_choice(claim: dict, runs: list[Run], readings: list[Reading], best: int | None) -> str:
    """For a claim that leaves a field open: its value in the run that was taken, and out of how many it was."""
    left_open = [name for name, value in cell_of(claim).items() if value == OPEN]
    if not left_open or best is None:
        return ""

    def kind(reading: Reading) -> tuple[bool, bool]:
        return len(reading.values) == 0, bool(reading.obstacles)

    rivals = sum(kind(reading) == kind(readings[best]) for reading in readings)
    others = len(readings) - rivals
    measure, cell = MEASURES[claim["metric"]], runs[best].record["cell"]
    taken = "/".join(f"{name}~{cell[name]}" for name in left_open)
    left_out = f"; {others} more not comparable or without a value" if others else ""
    return f"{taken}, best on {measure.split} {measure.metric} of {rivals}{left_out}"


def _verdict(claim: dict, reading: Reading, measure: Measure) -> Verdict:
    """Of the values as they are; on a ladder of their steps, with the numbers of the result as task lengths again."""
    values, published = reading.values.to_numpy(), claim["value"]
    if measure.on_ladder:
        values, published = (to_steps(claim["dataset"], lengths) for lengths in (values, published))
    judged = not math.isnan(published)
    result = summarise(values)
    if judged:
        result = verdict(
            values,
            float(published),
            claim["margin"],
            comparable=not reading.obstacles,
            reading_error=claim["reading_error"],
            lower_is_better=measure.lower_is_better,
            failure=measure.failure,
            direction=claim["direction"],
        )
    if not measure.on_ladder:
        return result
    numbers = ("mean", "low", "high", "prediction_low", "prediction_high")
    lengths = {name: float(to_lengths(claim["dataset"], getattr(result, name))) for name in numbers}
    return replace(result, why=f"in curriculum steps: {result.why}" if judged else result.why, **lengths)


def _as_text(cell: dict) -> dict[str, str]:
    return {name: str(value) for name, value in cell.items()}
