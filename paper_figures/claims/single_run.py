"""How a claim's metric is read off the curves of one run, and what keeps the run from being compared with the paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from paper_figures.claims.estimates import LEAST_TO_FIT, Estimate, curve_at, mean_of, no_estimate, slope_of
from paper_figures.claims.matching import Bin
from paper_figures.runs import Run

SOLVED = ("curriculum", "max_solved_task_length")  # where the curves have the tasks that replicas solved
NEAR = 0.01  # an evaluation this close to the claim's iteration, as a fraction of it, counts as at it
VALIDATED_EVERY = 5_000  # iterations between the paper's evaluations on Penn Treebank, which its plots join by lines


@dataclass(frozen=True)
class Reading:
    """Our values for one claim, by seed; `iteration` (the latest, where replicas differ) is None without values.

    Attributes:
        obstacles: what makes the run not comparable with the paper.
        gap: why a run has no value for the claim.
        fitted: what is estimated from the values, where it is not their mean.
    """

    values: pd.Series
    iteration: int | None
    obstacles: tuple[str, ...] = ()
    gap: str = ""
    fitted: Estimate | None = None

    @property
    def estimate(self) -> Estimate:
        """The number that is compared with the paper's."""
        return self.fitted or mean_of(self.values)


@dataclass(frozen=True)
class Measure:
    """Where the curves hold a claim's metric, how it is read there, and how it is judged and printed.

    Attributes:
        metric: may name a field of the cell, as in "h{cut_after}.l2_error".
        read: from the run, the measure, the claim's iteration (None: training ends by a rule of its own) and the run
            that the claim compares it with (None where it compares with none). If `bin` is "centre", also the bin.
        lower_is_better: None where neither is.
        bin: what a bin of replicas means: its members alone are read, or a fit to all replicas at its centre.
        digits: decimals of our numbers.
        step: the least step between two results, as judged; 0 where they are continuous.
        on_ladder: results are task lengths, judged in steps of their curriculum; so are margin and reading error.
        failure: what happened to a replica whose value is not finite.
    """

    split: str
    metric: str
    lower_is_better: bool | None
    read: Callable[..., Reading]
    digits: int
    on_ladder: bool = False
    failure: str = "diverged"
    step: float = 0.0
    bin: Literal["members", "centre"] = "members"

    @property
    def resolution(self) -> float:
        """Results that differ by less are alike: a step, or the last digit that is printed."""
        return max(self.step, 10.0**-self.digits)

    def for_cell(self, run: Run) -> Measure:
        """With the cell's value for a field that the metric names."""
        return replace(self, metric=self.metric.format(**run.cell))


def empty_reading(gap: str, obstacles: tuple[str, ...] = ()) -> Reading:
    """The reading of a run that has no value for the claim, because of `gap`."""
    return Reading(pd.Series(dtype=float), None, obstacles, gap)


def at_iteration(run: Run, measure: Measure, iteration: int, _reference: Run | None = None) -> Reading:
    """At `iteration`: exactly there, else at the nearest evaluation within 1% of it, never interpolated.

    A run that is not comparable shows the last value that it has, where it has none at `iteration`.
    """
    curve = run.curve(measure.split, measure.metric)
    found = obstacles(run, iteration)
    if curve.empty:
        return _not_recorded(measure, found)
    evaluated = curve.index.to_numpy()
    nearest = int(evaluated[np.argmin(np.abs(evaluated - iteration))])
    if abs(nearest - iteration) <= NEAR * iteration:
        return Reading(curve.loc[nearest], nearest, found)
    if found:
        return Reading(curve.iloc[-1], int(evaluated[-1]), found)
    return empty_reading(f"not evaluated at iteration {iteration}; the nearest is {nearest}")


def last_until(run: Run, measure: Measure, iteration: int, _reference: Run | None = None) -> Reading:
    """Each replica's last value up to `iteration`, of a curve that has a point only where the value changes."""
    points = run.curves[(run.curves["split"] == measure.split) & (run.curves["metric"] == measure.metric)]
    found = obstacles(run, iteration)
    if points.empty:
        return _not_recorded(measure, found)
    until = min(iteration, run.record.iteration_reached)
    values = points[points["iteration"] <= until].sort_values("iteration").groupby("seed")["value"].last()
    gone = [seed for seed, diverged_at in run.diverged_at().items() if diverged_at <= until]
    return Reading(values.mask(values.index.isin(gone)), until, found)


def best_snapshot(run: Run, measure: Measure, iteration: int | None, _reference: Run | None = None) -> Reading:
    """Test value of the best snapshot by early stopping; with an `iteration`, of the net at that one instead.

    The best snapshot is the one before the first at which the validation value has risen. Where it has not risen yet,
    the last one is shown, as not comparable: training is not at its end, whatever its length was to be.
    """
    if iteration is not None:
        return _between_evaluations(run, measure, iteration)
    valid, test = run.curve("valid", measure.metric), run.curve(measure.split, measure.metric)
    if valid.empty or test.empty:
        return _not_recorded(measure, obstacles(run), "valid" if valid.empty else "")
    best, risen = early_stops(valid)
    values = pd.Series({seed: test.loc[best[seed], seed] for seed in best.index})
    falling = int((~risen & np.isfinite(values)).sum())
    still = f"{falling} of {len(values)} replicas' validation had not risen by iteration {valid.index[-1]}"
    return Reading(values, int(best.max()), (*obstacles(run), *([still] if falling else [])))


def early_stops(valid: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """By seed, the iteration of the best snapshot, and whether the value has risen after it.

    Args:
        valid: validation values [iterations, seeds]; NaN from where a replica diverged, which is no rise.
    """
    rises = valid.diff() > 0
    best = {seed: valid.index[np.argmax(rises[seed]) - 1 if rises[seed].any() else -1] for seed in valid}
    return pd.Series(best), rises.any()


def training_mean(run: Run, measure: Measure, iteration: int, _reference: Run | None = None) -> Reading:
    """The mean of a replica's evaluations up to `iteration`, without the one before the first update."""
    return _of_training(run, measure, iteration, lambda curve: curve.loc[1:].mean(skipna=False))


def last_over_peak(run: Run, measure: Measure, iteration: int, _reference: Run | None = None) -> Reading:
    """A replica's last value up to `iteration` over its greatest one."""
    return _of_training(run, measure, iteration, lambda curve: curve.iloc[-1] / curve.max(skipna=False))


def error_at_p_update(run: Run, measure: Measure, iteration: int, _reference: Run | None, within: Bin) -> Reading:
    """The value of one curve through all replicas (`estimates.curve_at`) at the centre of a bin of p_update.

    Replicas of a bin are no draws of one distribution, because their p_update differs, and the error with it. A replica
    that diverged is counted where its p_update is in the bin, and is never on the curve; nor is one of p_update = 0,
    which is not trained.
    """
    found = at_iteration(run, measure, iteration)
    if found.gap:
        return found
    p_update = pd.Series(run.replica_setting("p_update"))[found.values.index]
    whole = found.values[np.isfinite(found.values) & (found.values > 0) & (p_update > 0)]
    diverged = ~np.isfinite(found.values)
    n_diverged = int((diverged & p_update.map(within.holds)).sum())
    centre = (within.low + within.high) / 2
    low, high = p_update[whole.index].min(), p_update[whole.index].max()
    enough = len(whole) >= LEAST_TO_FIT
    if n_diverged and not (enough and low <= centre <= high):
        return replace(found, fitted=no_estimate(len(whole), n_diverged))
    if not enough:
        return empty_reading(f"{len(whole)} replicas: a curve through them needs {LEAST_TO_FIT}", found.obstacles)
    if not low <= centre <= high:
        outside = f"the bin's centre {centre:g} is outside the p_update of our replicas, {low:.3g} to {high:.3g}"
        return empty_reading(outside, found.obstacles)
    return replace(found, fitted=replace(curve_at(p_update[whole.index], whole, centre), n_diverged=n_diverged))


def exponent_in_p_update(run: Run, measure: Measure, iteration: int, _reference: Run | None = None) -> Reading:
    """b of error ~ p_update^b: the slope of log error against log p_update (`estimates.slope_of`).

    A replica that diverged has no part in the slope, and is counted.
    """
    found = at_iteration(run, measure, iteration)
    if found.gap:
        return found
    p_update = pd.Series(run.replica_setting("p_update"))[found.values.index]
    whole = found.values[np.isfinite(found.values) & (found.values > 0) & (p_update > 0)]
    n_diverged = int((~np.isfinite(found.values)).sum())
    if len(whole) < 3:
        if n_diverged:
            return replace(found, fitted=no_estimate(len(whole), n_diverged))
        return empty_reading("fewer than three replicas to draw a line through", found.obstacles)
    slope = slope_of(np.log(p_update[whole.index]), np.log(whole))
    return replace(found, fitted=replace(slope, n_diverged=n_diverged))


def excess_over_guess(run: Run, measure: Measure, iteration: int, _reference: Run | None = None) -> Reading:
    """By how much the error lies below that of the best constant guess."""
    found = at_iteration(run, measure, iteration)
    return found if found.gap else replace(found, values=constant_guess(run, measure.metric) - found.values)


def constant_guess(run: Run, metric: str) -> float:
    """The error, in percent, of the best constant guess, which reads no digit; `metric` is error_a or error_b."""
    return run.record.facts[f"constant_guess_{metric}"]


def data_per_iteration(run: Run) -> int:
    """Time steps x batch that one iteration of a recurrent net consumes."""
    return run.cell["truncation_length"] * run.record.spec["batch_size"]


def obstacles(run: Run, iteration: int | None = None) -> tuple[str, ...]:
    """Why a run cannot be compared with the paper; empty if it can. `iteration` is the claim's, if it has one."""
    record = run.record
    found = ["stand-in data"] if run.stand_in else []
    found += record.differs_from_paper + record.changed_choices
    reached = record.iteration_reached
    if iteration is not None and reached < iteration:
        by_rule = record.status == "complete" and reached < record.iterations
        found.append(f"{reached} of {iteration} iterations" + (", stopped by its own rule" if by_rule else ""))
    return tuple(found)


def _of_training(run: Run, measure: Measure, iteration: int, summary: Callable[[pd.DataFrame], pd.Series]) -> Reading:
    """What `summary` makes of the curve [iterations, seeds] up to `iteration`; NaN for one that diverged there."""
    curve, found = run.curve(measure.split, measure.metric).loc[:iteration], obstacles(run, iteration)
    if curve.empty:
        return _not_recorded(measure, found)
    return Reading(summary(curve), int(curve.index[-1]), found)


def _between_evaluations(run: Run, measure: Measure, iteration: int) -> Reading:
    """On the straight line between the evaluations around `iteration`, which are no further apart than the paper's."""
    curve = run.curve(measure.split, measure.metric)
    found = obstacles(run, iteration)
    if curve.empty:
        return _not_recorded(measure, found)
    before, after = curve.index[curve.index <= iteration], curve.index[curve.index >= iteration]
    if len(before) and len(after) and after[0] - before[-1] <= VALIDATED_EVERY:
        low, high = before[-1], after[0]
        share = (iteration - low) / max(high - low, 1)
        values = curve.loc[low] + share * (curve.loc[high] - curve.loc[low])
        return Reading(values, iteration, found)
    if found:
        return Reading(curve.iloc[-1], int(curve.index[-1]), found)
    return empty_reading(f"no evaluations within {VALIDATED_EVERY} iterations on both sides of {iteration}")


def _not_recorded(measure: Measure, found: tuple[str, ...], split: str = "") -> Reading:
    return empty_reading(f"{split or measure.split} {measure.metric} was not recorded", found)
