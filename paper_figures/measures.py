"""How a claim's metric is read off the curves of a run, and what keeps the run from being compared with the paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from paper_figures.runs import Run

NEAR = 0.01  # an evaluation this close to the claim's iteration, as a fraction of it, counts as at it
VALIDATED_EVERY = 5_000  # iterations between the paper's evaluations on Penn Treebank, which its plots join by lines


@dataclass(frozen=True)
class Reading:
    """Our values for one claim, by seed; `iteration` (the latest, where replicas differ) is None without values."""

    values: pd.Series
    iteration: int | None
    obstacles: tuple[str, ...] = ()  # what makes the run not comparable with the paper
    gap: str = ""  # why a run has no value for the claim


@dataclass(frozen=True)
class Measure:
    """Where the curves hold a claim's metric, how it is read there, and how it is judged and printed.

    Attributes:
        read: from the run, the measure, the claim's iteration (None: training ends by a rule of its own) and the run
            that `reference` names (None where it was not made).
        digits: decimals of our numbers.
        on_ladder: results are task lengths, judged in steps of their curriculum; so are margin and reading error.
        failure: what happened to a replica whose value is not finite.
        reference: where the metric compares two runs, the fields of the cell in which the second one differs.
    """

    split: str
    metric: str
    lower_is_better: bool
    read: Callable[[Run, Measure, int | None, Run | None], Reading]
    digits: int
    on_ladder: bool = False
    failure: str = "diverged"
    reference: dict[str, Any] = field(default_factory=dict)


def without_values(gap: str, obstacles: tuple[str, ...] = ()) -> Reading:
    """The reading of a run that has nothing to say."""
    return Reading(pd.Series(dtype=float), None, obstacles, gap)


def at_iteration(run: Run, measure: Measure, iteration: int, _reference: Run | None = None) -> Reading:
    """At `iteration`: exactly there, else at the nearest evaluation within 1% of it, never interpolated.

    A run that is not comparable shows the last value that it has, where it has none at `iteration`.
    """
    curve = run.curve(measure.split, measure.metric)
    obstacles = _obstacles(run, iteration)
    if curve.empty:
        return _not_recorded(measure, obstacles)
    evaluated = curve.index.to_numpy()
    nearest = int(evaluated[np.argmin(np.abs(evaluated - iteration))])
    if abs(nearest - iteration) <= NEAR * iteration:
        return Reading(curve.loc[nearest], nearest, obstacles)
    if obstacles:
        return Reading(curve.iloc[-1], int(evaluated[-1]), obstacles)
    return without_values(f"not evaluated at iteration {iteration}; the nearest is {nearest}")


def last_until(run: Run, measure: Measure, iteration: int, _reference: Run | None = None) -> Reading:
    """The last value up to `iteration` of a curve with a point for each change, at iterations of each replica's own."""
    points = run.curves[(run.curves["split"] == measure.split) & (run.curves["metric"] == measure.metric)]
    obstacles = _obstacles(run, iteration)
    if points.empty:
        return _not_recorded(measure, obstacles)
    until = min(iteration, run.record["iteration_reached"])
    values = points[points["iteration"] <= until].sort_values("iteration").groupby("seed")["value"].last()
    gone = [seed for seed, diverged_at in run.diverged_at().items() if diverged_at <= until]
    return Reading(values.mask(values.index.isin(gone)), until, obstacles)


def best_snapshot(run: Run, measure: Measure, iteration: int | None, _reference: Run | None = None) -> Reading:
    """Test value of the best snapshot by early stopping; with an `iteration`, of the net at that one instead.

    The best snapshot is the one before the first at which the validation value has risen. Where it has not risen yet,
    the last one is shown, as not comparable: training is not at its end, whatever its length was to be.
    """
    if iteration is not None:
        return _between_evaluations(run, measure, iteration)
    valid, test = run.curve("valid", measure.metric), run.curve(measure.split, measure.metric)
    if valid.empty or test.empty:
        return _not_recorded(measure, _obstacles(run), "valid" if valid.empty else "")
    best, risen = early_stops(valid)
    values = pd.Series({seed: test.loc[best[seed], seed] for seed in best.index})
    falling = int((~risen & np.isfinite(values)).sum())
    still = f"{falling} of {len(values)} replicas' validation had not risen by iteration {valid.index[-1]}"
    return Reading(values, int(best.max()), (*_obstacles(run), *([still] if falling else [])))


def early_stops(valid: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """By seed, the iteration of the best snapshot, and whether the value has risen after it.

    Args:
        valid: validation values [iterations, seeds]; NaN from where a replica diverged, which is no rise.
    """
    rises = valid.diff() > 0
    best = {seed: valid.index[np.argmax(rises[seed]) - 1 if rises[seed].any() else -1] for seed in valid}
    return pd.Series(best), rises.any()


def data_fraction(run: Run, measure: Measure, _iteration: int | None, reference: Run | None) -> Reading:
    """Data until a replica has the result of the reference's replica of its seed, over the data that took the latter.

    The result is the test value of the reference's best snapshot, and its data that until there. The replica's test
    value is taken as straight between evaluations, up to its own best snapshot; infinite where it never comes so low.
    """
    if reference is None:
        return _no_reference(measure)
    own, goal = (best_snapshot(one, measure, None) for one in (run, reference))
    seeds, obstacles, gap = _pairs(measure, own, goal)
    if gap:
        return without_values(gap, obstacles)
    test = run.curve(measure.split, measure.metric)
    end, goal_end = (early_stops(one.curve("valid", measure.metric))[0] for one in (run, reference))
    reached = pd.Series({seed: _first_at_or_below(test.loc[: end[seed], seed], goal.values[seed]) for seed in seeds})
    values = reached * data_per_iteration(run) / (goal_end[seeds] * data_per_iteration(reference))
    return Reading(values, round(reached.where(np.isfinite(reached), end[seeds]).max()), obstacles)


def steps_fraction(run: Run, measure: Measure, iteration: int | None, reference: Run | None) -> Reading:
    """Digits until a replica has the last error of the reference's replica of its seed, over those that took that one.

    Both count to where the error first is so low, taken as straight between evaluations; infinite where the replica
    never comes so low. A reference sets no goal that has not learnt: to end below its start, and further below the best
    constant guess than two standard errors of the test.
    """
    if reference is None:
        return _no_reference(measure)
    own, goal = _where_both_are(run, reference, measure, iteration)
    seeds, obstacles, gap = _pairs(measure, own, goal)
    if gap:
        return without_values(gap, obstacles)
    curves, goal_curves = (one.curve(measure.split, measure.metric) for one in (run, reference))
    guess, streams = constant_guess(reference, measure.metric), reference.record["spec"]["evaluation_streams"]
    untaught = goal_curves.iloc[0].clip(upper=guess - 2 * np.sqrt(guess * (100 - guess) / streams))
    learnt = [seed for seed in seeds if goal.values[seed] < untaught[seed]]
    if len(learnt) < len(seeds):
        obstacles += (f"{len(seeds) - len(learnt)} replicas of {_path(measure.reference)} did not learn",)
    if not learnt:
        return without_values(obstacles[-1], obstacles)

    def digits(one: Run, curve: pd.Series, seed: int) -> float:
        return _first_at_or_below(curve, goal.values[seed]) * one.record["facts"]["digits_per_iteration"]

    pairs = {
        seed: (digits(run, curves.loc[: own.iteration, seed], seed), digits(reference, goal_curves[seed], seed))
        for seed in learnt
    }
    return Reading(pd.Series({seed: mine / its for seed, (mine, its) in pairs.items()}), own.iteration, obstacles)


def final_difference(run: Run, measure: Measure, iteration: int | None, reference: Run | None) -> Reading:
    """A replica's value minus that of the reference's replica of its seed, where both are."""
    if reference is None:
        return _no_reference(measure)
    own, goal = _where_both_are(run, reference, measure, iteration)
    seeds, obstacles, gap = _pairs(measure, own, goal)
    if gap:
        return without_values(gap, obstacles)
    return Reading(own.values[seeds] - goal.values[seeds], own.iteration, obstacles)


def excess_over_guess(run: Run, measure: Measure, iteration: int, _reference: Run | None = None) -> Reading:
    """By how much the error lies below that of the best constant guess."""
    found = at_iteration(run, measure, iteration)
    return found if found.gap else replace(found, values=constant_guess(run, measure.metric) - found.values)


def constant_guess(run: Run, metric: str) -> float:
    """The error, in percent, of the best guess of one who reads no digit; `metric` is error_a or error_b."""
    return run.record["facts"][f"constant_guess_{metric}"]


def data_per_iteration(run: Run) -> int:
    """Time steps x batch that one iteration of a recurrent net consumes."""
    return run.record["cell"]["truncation_length"] * run.record["spec"]["batch_size"]


MEASURES = {
    "test_error": Measure("test", "error", True, at_iteration, 2),
    "max_solved_task_length": Measure("curriculum", "max_solved_task_length", False, last_until, 1, on_ladder=True),
    "test_bits_per_character": Measure("test", "bits_per_character", True, best_snapshot, 3),
    "data_fraction_to_reach_bptt20": Measure(
        "test",
        "bits_per_character",
        True,
        data_fraction,
        2,
        failure="never came so low",
        reference={"method": "bptt", "truncation_length": 20},
    ),
    **{
        f"steps_fraction_{network}": Measure(
            *("test", f"error_{network}", True, steps_fraction, 2),
            failure="never came so low",
            reference={"method": "bprop"},
        )
        for network in ("a", "b")
    },
    "final_difference_b": Measure("test", "error_b", True, final_difference, 2, reference={"method": "bprop"}),
    "excess_over_guess_b": Measure("test", "error_b", False, excess_over_guess, 2),
}


def _between_evaluations(run: Run, measure: Measure, iteration: int) -> Reading:
    """On the straight line between the evaluations around `iteration`, which are no further apart than the paper's."""
    curve = run.curve(measure.split, measure.metric)
    obstacles = _obstacles(run, iteration)
    if curve.empty:
        return _not_recorded(measure, obstacles)
    before, after = curve.index[curve.index <= iteration], curve.index[curve.index >= iteration]
    if len(before) and len(after) and after[0] - before[-1] <= VALIDATED_EVERY:
        low, high = before[-1], after[0]
        share = (iteration - low) / max(high - low, 1)
        values = curve.loc[low] + share * (curve.loc[high] - curve.loc[low])
        return Reading(values, iteration, obstacles)
    if obstacles:
        return Reading(curve.iloc[-1], int(curve.index[-1]), obstacles)
    return without_values(f"no evaluations within {VALIDATED_EVERY} iterations on both sides of {iteration}")


def _where_both_are(run: Run, reference: Run, measure: Measure, iteration: int | None) -> tuple[Reading, Reading]:
    """Readings of both at the last iteration that both have come to, at most `iteration`, which they are asked for."""
    reached = [one.record["iteration_reached"] for one in (run, reference)]
    end = min([*reached, *([] if iteration is None else [iteration])])
    found = (at_iteration(one, measure, end) for one in (run, reference))
    return tuple(
        replace(reading, obstacles=_obstacles(one, iteration))
        for one, reading in zip((run, reference), found, strict=True)
    )


def _pairs(measure: Measure, own: Reading, goal: Reading) -> tuple[list[int], tuple[str, ...], str]:
    """Seeds that a run shares with whole replicas of its reference; obstacles of both; a gap where there is no pair."""
    obstacles = tuple(dict.fromkeys([*own.obstacles, *goal.obstacles]))
    if goal.gap or own.gap:
        return [], obstacles, goal.gap or own.gap
    lost = int((~np.isfinite(goal.values)).sum())
    if lost:
        obstacles += (f"{lost} replicas of {_path(measure.reference)} diverged",)
    seeds = sorted(set(own.values.index) & set(goal.values.index[np.isfinite(goal.values)]))
    return seeds, obstacles, "" if seeds else f"no seed in common with a whole replica of {_path(measure.reference)}"


def _no_reference(measure: Measure) -> Reading:
    return without_values(f"no run of {_path(measure.reference)} to compare with")


def _first_at_or_below(curve: pd.Series, goal: float) -> float:
    """The iteration at which the line through a replica's evaluations first comes down to `goal`; infinite if never."""
    reached = np.flatnonzero(curve.to_numpy() <= goal)
    if not len(reached):
        return np.inf
    after = reached[0]
    before = max(after - 1, 0)
    drop = curve.iloc[before] - curve.iloc[after]
    share = (curve.iloc[before] - goal) / drop if drop > 0 else 1.0
    return float(curve.index[before] + share * (curve.index[after] - curve.index[before]))


def _not_recorded(measure: Measure, obstacles: tuple[str, ...], split: str = "") -> Reading:
    return without_values(f"{split or measure.split} {measure.metric} was not recorded", obstacles)


def _path(fields: dict[str, Any]) -> str:
    return "/".join(f"{name}~{value}" for name, value in fields.items())


def _obstacles(run: Run, iteration: int | None = None) -> tuple[str, ...]:
    """`iteration`: what the claim asks for, where it says so."""
    record = run.record
    found = ["stand-in data"] if run.stand_in else []
    found += record["differs_from_paper"] + record["changed_choices"]
    reached = record["iteration_reached"]
    if iteration is not None and reached < iteration:
        by_rule = record["status"] == "complete" and reached < record["iterations"]
        found.append(f"{reached} of {iteration} iterations" + (", stopped by its own rule" if by_rule else ""))
    return tuple(found)
