"""The table of claims: every published number beside ours, from each framework, with a verdict.

`claims.csv` beside this file fixes each published number, its margin and the margin's reason before anything is run.
`make` writes results/<preset>/claims.csv: one row per claim and framework.

A claim names the cell that it is about: `experiment`, `dataset`, `model`, `layers`, `method`, and in `cell` the fields
that follow in the cell's path, spelled as there ("cut_after~1"; empty where none follows). A `*` for a value
("stale_decay~*") leaves that field open: of the runs that fit, the one with the best mean of the claim's own metric is
taken, as the paper did; the column `chosen` says which, and of how many. `replicas` selects those whose setting lies in
a bin, "p_update 0.03-0.06": the lower end is in it and the upper one is not, but for 1.00, where a probability ends.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from paper_figures.files import table_csv
from paper_figures.runs import Run, read_runs
from paper_figures.statistics import Verdict, summarise, verdict

TITLE = "every published number beside ours, with interval, margin and verdict"
OUTPUT = "claims.csv"

CLAIMS_FILE = Path(__file__).with_name("claims.csv")
FRAMEWORKS = {"torch": "PyTorch", "jax": "JAX"}
NEAR = 0.01  # an evaluation this close to the claim's iteration, as a fraction of it, counts as at it
OPEN = "*"  # a field of the cell that a claim leaves open


@dataclass(frozen=True)
class Measure:
    """Where the curves hold a claim's metric, and which way is better."""

    split: str
    metric: str
    lower_is_better: bool


MEASURES = {"test_error": Measure("test", "error", True)}


@dataclass(frozen=True)
class Bin:
    """The replicas of a run whose `setting` lies in [low, high); [low, 1] where high is 1."""

    setting: str
    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a replica with this value of the setting is in the bin."""
        return self.low <= value < self.high or value == self.high == 1


@dataclass(frozen=True)
class Reading:
    """Our values for one claim, one per replica; `iteration` is None where there is no value to show."""

    values: np.ndarray
    iteration: int | None
    obstacles: tuple[str, ...] = ()  # what makes the run not comparable with the paper
    gap: str = ""  # why a run has no value for the claim


def read_claims() -> pd.DataFrame:
    """The published numbers, one row each; `value`, `margin`, `reading_error` in the row's `unit`."""
    return pd.read_csv(CLAIMS_FILE, keep_default_na=False)  # so that an empty cell is "" and not NaN


def cell_of(claim: dict) -> dict[str, str]:
    """The fields of the claim's cell as text, in the order of the path; `OPEN` for one that it leaves open."""
    further = dict(part.split("~") for part in claim["cell"].split("/") if part)
    fields = {"dataset": claim["dataset"], "model": claim["model"], "depth": claim["layers"], "method": claim["method"]}
    return {name: str(value) for name, value in {**fields, **further}.items()}


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
            fitting = [run for run in runs if run.record["framework"] == framework and fits(claim, run)]
            rows.append({**claim, "framework": framework, **_judge_one(claim, fitting)})
    return pd.DataFrame(rows).astype({"ours_iteration": "Int64"})


def fits(claim: dict, run: Run) -> bool:
    """Whether the run's cell is the claim's, but for the fields that the claim leaves open."""
    asked, found = cell_of(claim), run.record["cell"]
    if run.record["experiment"] != claim["experiment"] or asked.keys() != found.keys():
        return False
    return all(value in (OPEN, str(found[name])) for name, value in asked.items())


def read_value(run: Run, measure: Measure, iteration: int, chosen: Bin | None = None) -> Reading:
    """Our values at `iteration`: exactly there, else at the nearest evaluation within 1% of it, never interpolated.

    A run that is not comparable shows the last value that it has, where it has none at `iteration`.
    """
    curve = run.curve(measure.split, measure.metric)
    obstacles = _obstacles(run, iteration)
    if curve.empty:
        return Reading(np.array([]), None, obstacles, f"{measure.split} {measure.metric} was not recorded")
    if chosen:
        seeds = [seed for seed, value in run.replica_setting(chosen.setting).items() if chosen.holds(value)]
        if not seeds:
            total = len(run.record["seeds"])
            where = f"{chosen.setting} in {chosen.low:.2f}-{chosen.high:.2f}"
            return Reading(np.array([]), None, (), f"none of the {total} replicas has {where}")
        curve = curve[seeds]
    evaluated = curve.index.to_numpy()
    nearest = int(evaluated[np.argmin(np.abs(evaluated - iteration))])
    if abs(nearest - iteration) <= NEAR * iteration:
        return Reading(curve.loc[nearest].to_numpy(), nearest, obstacles)
    if obstacles:
        return Reading(curve.iloc[-1].to_numpy(), int(evaluated[-1]), obstacles)
    return Reading(np.array([]), None, (), f"not evaluated at iteration {iteration}; the nearest is {nearest}")


def make(results: Path) -> dict[str, bytes]:
    """The contents of claims.csv, by suffix."""
    claims = read_claims()
    runs = [run for experiment in sorted(set(claims["experiment"])) for run in read_runs(results, experiment)]
    return {".csv": table_csv(judge(claims, runs))}


def _judge_one(claim: dict, runs: list[Run]) -> dict:
    measure = MEASURES[claim["metric"]]
    readings = [read_value(run, measure, int(claim["iteration"]), bin_of(claim["replicas"])) for run in runs]
    best = _best(readings, measure)
    run = None if best is None else runs[best]
    reading = Reading(np.array([]), None) if best is None else readings[best]
    result = _verdict(claim, reading, measure)
    word, why = result.word, result.why
    if run is None:
        word, why = "missing", "no run of this cell; `python -m impls list` shows the command that makes it"
    elif reading.obstacles:
        word = "not comparable"  # even where the run recorded nothing
        diverged = [f"{result.n_diverged} replicas diverged"] if result.n_diverged else []
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
        mean = float(np.mean(values)) if len(values) else math.nan
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
    if math.isnan(claim["value"]):
        return summarise(reading.values)
    return verdict(
        reading.values,
        claim["value"],
        claim["margin"],
        comparable=not reading.obstacles,
        reading_error=claim["reading_error"],
        lower_is_better=measure.lower_is_better,
    )


def _obstacles(run: Run, iteration: int) -> tuple[str, ...]:
    record = run.record
    found = ["stand-in data"] if run.stand_in else []
    found += record["differs_from_paper"] + record["changed_choices"]
    if record["iteration_reached"] < iteration:
        found.append(f"{record['iteration_reached']} of {iteration} iterations")
    return tuple(found)
