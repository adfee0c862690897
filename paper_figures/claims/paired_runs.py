"""How a claim's metric is read off two runs: each replica against that of the same seed in the run it is compared with.

Replicas of one seed start from the same weights and see the same data in the same order, so their difference has less
noise than either. Where the reference's replica diverged there is nothing to compare with: the pair is left out, and
the claim is then not comparable. A replica of the run itself that diverged counts against the claim.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from paper_figures.claims.curriculum import to_steps
from paper_figures.claims.estimates import paired_differences
from paper_figures.claims.single_run import (
    Measure,
    Reading,
    at_iteration,
    best_snapshot,
    constant_guess,
    data_per_iteration,
    early_stops,
    empty_reading,
    last_until,
    obstacles,
)
from paper_figures.runs import Run


def difference(run: Run, measure: Measure, iteration: int | None, reference: Run) -> Reading:
    """A replica's value minus that of the reference's replica of its seed, where both are."""
    return _difference(run, reference, *_where_both_are(run, reference, measure, iteration, at_iteration))


def steps_further(run: Run, measure: Measure, iteration: int, reference: Run) -> Reading:
    """By how many curriculum steps a replica is ahead of the reference's replica of its seed."""
    both = _where_both_are(run, reference, measure, iteration, last_until)
    dataset = run.cell["dataset"]
    own, goal = (
        replace(found, values=pd.Series(to_steps(dataset, found.values), found.values.index)) for found in both
    )
    return _difference(run, reference, own, goal)


def snapshot_difference(run: Run, measure: Measure, _iteration: int | None, reference: Run) -> Reading:
    """Test value of a replica's best snapshot minus that of the reference's replica of its seed."""
    return _difference(run, reference, *(best_snapshot(one, measure, None) for one in (run, reference)))


def data_fraction(run: Run, measure: Measure, _iteration: int | None, reference: Run) -> Reading:
    """The data that a replica needs for the result of the reference's replica of its seed, over what that one needed.

    The result is the test value of the reference's best snapshot. The replica's test value is interpolated linearly
    between evaluations, up to its own best snapshot. The fraction is infinite if it never becomes so low.
    """
    own, goal = (best_snapshot(one, measure, None) for one in (run, reference))
    seeds, found, gap = _pairs(run, reference, own, goal)
    if gap:
        return empty_reading(gap, found)
    test = run.curve(measure.split, measure.metric)
    end, goal_end = (early_stops(one.curve("valid", measure.metric))[0] for one in (run, reference))
    reached = pd.Series({seed: first_at_or_below(test.loc[: end[seed], seed], goal.values[seed]) for seed in seeds})
    values = reached * data_per_iteration(run) / (goal_end[seeds] * data_per_iteration(reference))
    return Reading(values, round(reached.where(np.isfinite(reached), end[seeds]).max()), found)


def steps_fraction(run: Run, measure: Measure, iteration: int | None, reference: Run) -> Reading:
    """The digits that a replica needs for the last error of the reference's replica of its seed, over what that needed.

    Both are counted until the error is first so low, interpolated linearly between evaluations. The fraction is
    infinite if the replica's error never becomes so low. A reference that has not learnt is left out. It has learnt if
    its error ends below its start, and below the best constant guess by more than two standard errors of the test.
    """
    own, goal = _where_both_are(run, reference, measure, iteration, at_iteration)
    seeds, found, gap = _pairs(run, reference, own, goal)
    if gap:
        return empty_reading(gap, found)
    curves, goal_curves = (one.curve(measure.split, measure.metric) for one in (run, reference))
    guess, streams = constant_guess(reference, measure.metric), reference.record.spec["evaluation_streams"]
    untaught = goal_curves.iloc[0].clip(upper=guess - 2 * np.sqrt(guess * (100 - guess) / streams))
    learnt = [seed for seed in seeds if goal.values[seed] < untaught[seed]]
    if len(learnt) < len(seeds):
        found += (f"{len(seeds) - len(learnt)} replicas of {_named(run, reference)} did not learn",)
    if not learnt:
        return empty_reading(found[-1], found)

    def digits(one: Run, curve: pd.Series, seed: int) -> float:
        return first_at_or_below(curve, goal.values[seed]) * one.record.facts["digits_per_iteration"]

    pairs = {
        seed: (digits(run, curves.loc[: own.iteration, seed], seed), digits(reference, goal_curves[seed], seed))
        for seed in learnt
    }
    return Reading(pd.Series({seed: mine / its for seed, (mine, its) in pairs.items()}), own.iteration, found)


def _difference(run: Run, reference: Run, own: Reading, goal: Reading) -> Reading:
    seeds, found, gap = _pairs(run, reference, own, goal)
    if gap:
        return empty_reading(gap, found)
    return Reading(paired_differences(own.values[seeds], goal.values[seeds]), own.iteration, found)


def _where_both_are(
    run: Run,
    reference: Run,
    measure: Measure,
    iteration: int | None,
    read: Callable[[Run, Measure, int], Reading],
) -> tuple[Reading, Reading]:
    """Readings of both at the last iteration that both have reached, but at most `iteration`."""
    reached = [one.record.iteration_reached for one in (run, reference)]
    end = min([*reached, *([] if iteration is None else [iteration])])
    own, goal = (replace(read(one, measure, end), obstacles=obstacles(one, iteration)) for one in (run, reference))
    return own, goal


def _pairs(run: Run, reference: Run, own: Reading, goal: Reading) -> tuple[list[int], tuple[str, ...], str]:
    """Seeds that a run shares with replicas of its reference that did not diverge; obstacles of both; a gap if none."""
    found = tuple(dict.fromkeys([*own.obstacles, *goal.obstacles]))
    if goal.gap or own.gap:
        return [], found, goal.gap or own.gap
    name, whole = _named(run, reference), goal.values.index[np.isfinite(goal.values)]
    seeds = sorted(set(own.values.index) & set(whole))
    lost = len(set(own.values.index) & set(goal.values.index)) - len(seeds)
    if lost:
        found += (f"{lost} replicas of {name} diverged",)
    return seeds, found, "" if seeds else f"no seed in common with a whole replica of {name}"


def _named(run: Run, reference: Run) -> str:
    """The reference by the fields in which its cell is another than the run's, such as "method~bprop"."""
    own, its = run.record, reference.record
    experiment = {} if its.experiment == own.experiment else {"experiment": its.experiment}
    fields = {name: value for name, value in its.cell.items() if own.cell.get(name) != value}
    return "/".join(f"{name}~{value}" for name, value in {**experiment, **fields}.items())


def first_at_or_below(curve: pd.Series, goal: float) -> float:
    """The iteration at which the line through a replica's evaluations first comes down to `goal`; infinite if never."""
    reached = np.flatnonzero(curve.to_numpy() <= goal)
    if not len(reached):
        return np.inf
    after = reached[0]
    before = max(after - 1, 0)
    drop = curve.iloc[before] - curve.iloc[after]
    share = (curve.iloc[before] - goal) / drop if drop > 0 else 1.0
    return float(curve.index[before] + share * (curve.index[after] - curve.index[before]))
