"""The table of claims: every published number beside ours, from each framework, with a verdict.

`claims.csv` beside this file fixes each published number, its margin and the margin's reason before anything is run.
`make` writes results/<preset>/claims.csv: one row per claim and framework.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from paper_figures.files import table_csv
from paper_figures.runs import Run, read_runs
from paper_figures.statistics import verdict

TITLE = "every published number beside ours, with interval, margin and verdict"
OUTPUT = "claims.csv"

CLAIMS_FILE = Path(__file__).with_name("claims.csv")
FRAMEWORKS = {"torch": "PyTorch", "jax": "JAX"}
EXPERIMENTS = {"table_feedforward": "feedforward", "fig_feedforward_curves": "feedforward"}
NEAR = 0.01  # an evaluation this close to the claim's iteration, as a fraction of it, counts as at it


@dataclass(frozen=True)
class Measure:
    """Where the curves hold a claim's metric, and which way is better."""

    split: str
    metric: str
    lower_is_better: bool


MEASURES = {"test_error": Measure("test", "error", True)}


@dataclass(frozen=True)
class Reading:
    """Our values for one claim, one per replica; `iteration` is None where there is no value to show."""

    values: np.ndarray
    iteration: int | None
    obstacles: tuple[str, ...] = ()  # what makes the run not comparable with the paper
    gap: str = ""  # why a comparable run has no value at the claim's iteration


def read_claims() -> pd.DataFrame:
    """The published numbers, one row each; `value`, `margin`, `reading_error` in the row's `unit`."""
    return pd.read_csv(CLAIMS_FILE)


def judge(claims: pd.DataFrame, runs: list[Run]) -> pd.DataFrame:
    """One row per claim and framework: the claim's columns, then ours (those of `_judge_one`)."""
    by_cell = {_cell_of_record(run.record): run for run in runs}
    rows = []
    for claim in claims.to_dict("records"):
        for framework in FRAMEWORKS:
            run = by_cell.get(_cell_of_claim(claim, framework))
            rows.append({**claim, "framework": framework, **_judge_one(claim, run)})
    return pd.DataFrame(rows).astype({"ours_iteration": "Int64"})


def read_value(run: Run, measure: Measure, iteration: int) -> Reading:
    """Our values at `iteration`: exactly there, else at the nearest evaluation within 1% of it, never interpolated.

    A run that is not comparable shows the last value that it has, where it has none at `iteration`.
    """
    curve = run.curve(measure.split, measure.metric)
    obstacles = _obstacles(run, iteration)
    if curve.empty:
        return Reading(np.array([]), None, obstacles, f"{measure.split} {measure.metric} was not recorded")
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
    experiments = sorted({EXPERIMENTS[artifact] for artifact in claims["artifact"]})
    runs = [run for experiment in experiments for run in read_runs(results, experiment)]
    return {".csv": table_csv(judge(claims, runs))}


def _judge_one(claim: dict, run: Run | None) -> dict:
    measure = MEASURES[claim["metric"]]
    reading = read_value(run, measure, int(claim["iteration"])) if run else Reading(np.array([]), None)
    result = verdict(
        reading.values,
        claim["value"],
        claim["margin"],
        comparable=not reading.obstacles,
        reading_error=claim["reading_error"],
        lower_is_better=measure.lower_is_better,
    )
    word, why = result.word, result.why
    if run is None:
        why = "no run of this cell; `python -m impls list` shows the command that makes it"
    elif reading.obstacles:
        word = "not comparable"  # even where the run recorded nothing
        diverged = [f"{result.n_diverged} replicas diverged"] if result.n_diverged else []
        why = "; ".join([*reading.obstacles, *diverged])
    elif reading.gap:
        why = reading.gap
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
        "run": run.path if run else None,
    }


def _obstacles(run: Run, iteration: int) -> tuple[str, ...]:
    record = run.record
    found = ["stand-in data"] if run.stand_in else []
    found += record["differs_from_paper"] + record["changed_choices"]
    if record["iteration_reached"] < iteration:
        found.append(f"{record['iteration_reached']} of {iteration} iterations")
    return tuple(found)


def _cell_of_record(record: dict) -> tuple:
    cell = [record["cell"].get(name) for name in ("dataset", "model", "depth", "method")]
    return (record["experiment"], record["framework"], *cell)


def _cell_of_claim(claim: dict, framework: str) -> tuple:
    cell = [claim[name] for name in ("dataset", "model", "layers", "method")]
    return (EXPERIMENTS[claim["artifact"]], framework, *cell)
