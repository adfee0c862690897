"""The verdict on each claim: every published number, and every finding in words, beside ours.

Which runs a claim is about: `matching`. How its metric is read from them: `measures`. Estimates
from replicas: `estimates`. The rules: `statistics`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from paper_figures.claims.curriculum import to_lengths, to_steps
from paper_figures.claims.estimates import mean_of
from paper_figures.claims.matching import (
    OPEN,
    WHOLE_NUMBERS,
    bin_of,
    cell_of,
    experiments_of,
    fits,
    read_claims,
    reference_of,
)
from paper_figures.claims.measures import MEASURES, Measure
from paper_figures.claims.remarks import also_fits, is_post_hoc
from paper_figures.claims.single_run import Reading, empty_reading
from paper_figures.claims.statistics import verdict
from paper_figures.names import FRAMEWORKS
from paper_figures.runs import Run, read_experiments


def judged_claims(results: Path, *artifacts: str) -> tuple[pd.DataFrame, list[Run]]:
    """The claims with their verdicts from the runs under `results`, as `judge` makes them, and those runs.

    The tables, claims.csv, values.tex, README.md and the report take their rows from here, at full precision.

    Args:
        artifacts: whose claims to judge, by the runs of their experiments alone; none given: all of claims.csv.
    """
    claims = read_claims()
    claims = claims.assign(also_fits=also_fits(claims))
    if artifacts:
        claims = claims[claims["artifact"].isin(artifacts)]
    runs = read_experiments(results, experiments_of(claims))
    return judge(claims, runs), runs


def judge(claims: pd.DataFrame, runs: list[Run]) -> pd.DataFrame:
    """One row per claim and framework: the claim's columns, then ours (those of `_judge_one`).

    A claim whose `value` is NaN has no published number: ours is shown, with no verdict but that it is not comparable.
    """
    rows = []
    for claim in claims.to_dict("records"):
        for framework in FRAMEWORKS:
            candidates = [run for run in runs if run.record.framework == framework]
            rows.append({**claim, "framework": framework, **_judge_one(claim, candidates)})
    return pd.DataFrame(rows).astype(dict.fromkeys([*WHOLE_NUMBERS, "ours_iteration"], "Int64"))


def reading_of(claim: dict[str, Any], run: Run, runs: list[Run]) -> Reading:
    """Our values for the claim, from a run that fits it. If the claim has a reference, it is looked up in `runs`."""
    measure, chosen = MEASURES[claim["metric"]].for_cell(run), bin_of(claim["replicas"])
    iteration = None if pd.isna(claim["iteration"]) else int(claim["iteration"])
    reference = reference_of(claim, run, runs) if claim["reference"] else None
    if claim["reference"] and reference is None:
        return empty_reading(f"no run of {claim['reference']} to compare with")
    if chosen and measure.bin == "centre":
        return measure.read(run, measure, iteration, reference, chosen)
    if chosen:
        seeds = [seed for seed, value in run.replica_setting(chosen.setting).items() if chosen.holds(value)]
        if not seeds:
            where = f"{chosen.setting} in {chosen.low:.2f}-{chosen.high:.2f}"
            return empty_reading(f"none of the {len(run.record.seeds)} replicas has {where}")
        run = replace(run, curves=run.curves[run.curves["seed"].isin(seeds)])
    return measure.read(run, measure, iteration, reference)


def _judge_one(claim: dict[str, Any], candidates: list[Run]) -> dict[str, Any]:
    measure = MEASURES[claim["metric"]]
    runs = [run for run in candidates if fits(claim, run)]
    readings = [reading_of(claim, run, candidates) for run in runs]
    best = _best(readings, measure)
    run = None if best is None else runs[best]
    reading = empty_reading("") if best is None else readings[best]
    result = _verdict(claim, reading, measure)
    word, why = result["verdict"], result["why"]
    if run is None:
        word, why = "missing", "no run of this cell; `python -m impls list` shows the command that makes it"
    elif reading.obstacles:
        word = "not comparable"  # even where the run recorded nothing
        n_diverged = result["n_diverged"]
        diverged = [f"{n_diverged} replicas {measure.failure}"] if n_diverged else []
        why = "; ".join([*reading.obstacles, *diverged])
    elif reading.gap:
        word, why = "missing", reading.gap
    return {
        **result,
        "verdict": word,
        "why": why,
        "chosen": _describe_choice(claim, runs, readings, best),
        "run": run.path if run else "",
        **_remarked(claim, run, candidates),
    }


def _remarked(claim: dict[str, Any], run: Run | None, runs: list[Run]) -> dict[str, Any]:
    """The columns about the run that `remarks` are made from; a claim about two runs is as old as the older one."""
    reference = reference_of(claim, run, runs) if run and claim["reference"] else None
    used = [one.record for one in (run, reference) if one]
    has_number = not math.isnan(claim["value"])
    return {
        "run_started": run.record.started_at if run else "",
        "post_hoc": has_number and is_post_hoc(claim["since"], [record.started_at for record in used]),
        "uncommitted_code": any(record.code.git_dirty for record in used),
    }


def _best(readings: list[Reading], measure: Measure) -> int | None:
    """Which run a claim is judged by: one with values, of these a comparable one, of these the one with the best mean.

    A run with a diverged replica has no mean, so it comes after all that have one.
    """

    def rank(number: int) -> tuple[bool, bool, float]:
        values, obstacles = readings[number].values, readings[number].obstacles
        mean = float(np.mean(values.to_numpy())) if len(values) else math.nan
        loss = mean if measure.lower_is_better else -mean
        return len(values) == 0, bool(obstacles), loss if math.isfinite(loss) else math.inf

    return min(range(len(readings)), key=rank, default=None)


def _describe_choice(claim: dict[str, Any], runs: list[Run], readings: list[Reading], best: int | None) -> str:
    """For a claim that leaves a field open: its value in the run that was taken, the best of how many runs."""
    left_open = [name for name, value in cell_of(claim).items() if value == OPEN]
    if not left_open or best is None:
        return ""

    def kind(reading: Reading) -> tuple[bool, bool]:
        return len(reading.values) == 0, bool(reading.obstacles)

    rivals = sum(kind(reading) == kind(readings[best]) for reading in readings)
    others = len(readings) - rivals
    measure, cell = MEASURES[claim["metric"]], runs[best].cell
    taken = "/".join(f"{name}~{cell[name]}" for name in left_open)
    left_out = f"; {others} more not comparable or without a value" if others else ""
    return f"{taken}, best on {measure.split} {measure.metric} of {rivals}{left_out}"


def _verdict(claim: dict[str, Any], reading: Reading, measure: Measure) -> dict[str, Any]:
    """The columns of our estimate and of the verdict on it.

    Task lengths are judged as curriculum steps, and shown as task lengths again.
    """
    published, dataset = claim["value"], claim["dataset"]
    estimate = reading.estimate
    if measure.on_ladder:
        estimate = mean_of(to_steps(dataset, reading.values))
        published = to_steps(dataset, published)
    low, high = estimate.interval()
    prediction_low, prediction_high = estimate.prediction()
    word, why, resolves, p = "", "no published number", math.nan, math.nan
    if not math.isnan(published):
        found = verdict(
            estimate,
            float(published),
            claim["margin"],
            comparable=not reading.obstacles,
            reading_error=claim["reading_error"],
            resolution=measure.resolution,
            lower_is_better=measure.lower_is_better,
            failure=measure.failure,
            direction=claim["direction"],
        )
        word, why, resolves, p = found.word, found.why, found.resolves, found.p_equivalence
        prediction_low, prediction_high = found.prediction_low, found.prediction_high
        why = f"in curriculum steps: {why}" if measure.on_ladder else why

    def shown(number: float) -> float:
        return float(to_lengths(dataset, number)) if measure.on_ladder else number

    return {
        "ours": shown(estimate.mean),
        "ours_iteration": reading.iteration,
        "low": shown(low),
        "high": shown(high),
        "prediction_low": shown(prediction_low),
        "prediction_high": shown(prediction_high),
        "n": estimate.n,
        "n_diverged": estimate.n_diverged,
        "p_equivalence": p,
        "resolves": resolves,
        "verdict": word,
        "why": why,
    }
