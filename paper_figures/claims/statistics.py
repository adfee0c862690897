"""Means, intervals, equivalence tests, and the verdict on one published number.

Everything assumes that replicas (independent seeds) are draws of one normal distribution. Student's t keeps its
coverage at the three to ten replicas that runs of this kind have; a percentile bootstrap of so few does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

Values: TypeAlias = Sequence[float] | np.ndarray | pd.Series  # one number for each replica

LEVEL = 0.05  # of every one-sided test; the intervals cover 1 - LEVEL
# What a published number says: it is so much, or no more than so much, or no less.
TWO_SIDED, AT_MOST, AT_LEAST = "two-sided", "at most", "at least"

VERDICTS = {
    "reproduced": "our mean equals the paper's number within the margin (two one-sided t tests, 5%)",
    "consistent": "the paper's number lies in our 95% prediction interval (that of one more run)",
    "differs": "the paper's number lies outside our 95% prediction interval, and our mean's 95% interval beyond the "
    "margin, on the better or the worse side; or a replica diverged (worse)",
    "inconclusive": "too few replicas, or too much spread, to tell",
    "not comparable": "stand-in data, reduced sizes, changed choices, or stopped early",
    "missing": "no run, or not evaluated there",
}


@dataclass(frozen=True)
class Verdict:
    """A word of `VERDICTS` ("differs" with the side in brackets) and what it rests on; NaN where it cannot be computed.

    Attributes:
        word: empty where no number was published.
        why: one clause in words, with the numbers.
        n: replicas in the mean and the intervals; n_diverged: those left out of them because they had diverged.
        low, high: 95% t interval of the mean; prediction_low, prediction_high: of one more run.
        p_equivalence: the larger p value of the two one-sided tests; of the one test where the number is a bound.
    """

    word: str
    why: str
    n: int
    n_diverged: int
    mean: float
    low: float
    high: float
    prediction_low: float
    prediction_high: float
    p_equivalence: float


def t_interval(values: Values, confidence: float = 1 - LEVEL) -> tuple[float, float]:
    """Interval of the mean, mean -+ t * s / sqrt(n) with n - 1 degrees of freedom; NaN for fewer than two values."""
    return _interval(values, confidence, lambda n: 1 / n)


def prediction_interval(values: Values, confidence: float = 1 - LEVEL) -> tuple[float, float]:
    """Interval of one further draw, mean -+ t * s * sqrt(1 + 1/n); NaN for fewer than two values."""
    return _interval(values, confidence, lambda n: 1 + 1 / n)


def equivalence_p(values: Values, target: float, margin: float) -> float:
    """The two one-sided t tests of |mean - target| < margin: the larger of the two p values; NaN for fewer than two.

    Without spread there is nothing to test: 0 where the mean is inside the margin or on it (where replicas that agree
    stand one step of a ladder away, and that is the margin), 1 where it is not.
    """
    return math.nan if len(values) < 2 else _one_sided_p(values, abs(float(np.mean(values)) - target) - margin)


def bound_p(values: Values, bound: float, direction: str = AT_MOST) -> float:
    """The one-sided t test of mean < bound (`AT_LEAST`: mean > bound); NaN for fewer than two.

    Without spread it is 0 where the mean is within the bound or on it, and 1 where it is not.
    """
    if len(values) < 2:
        return math.nan
    excess = float(np.mean(values)) - bound
    return _one_sided_p(values, excess if direction == AT_MOST else -excess)


def beyond_p(values: Values, margin: float, resolution: float = 0.0) -> float:
    """The t test of |mean| > margin: twice the p value of its nearer side, at most 1; NaN for fewer than two.

    Doubled, because either side would do. Values that are differences of two results in steps of `resolution` (one
    image of a test set) agree by chance now and then: their variance is taken to be no less than rounding gives them,
    resolution^2 / 6. Without that and without spread, 0 outside the margin, 1 inside it or on it.
    """
    if len(values) < 2:
        return math.nan
    excess = abs(float(np.mean(values))) - margin
    deviation = max(float(np.std(values, ddof=1)), resolution / math.sqrt(6))
    if deviation == 0:
        return 0.0 if excess > 0 else 1.0
    return min(1.0, 2 * float(stdtr(len(values) - 1, -excess / deviation * math.sqrt(len(values)))))


def holm(p_values: Values) -> np.ndarray:
    """Holm's adjusted p values, in the order given; NaN stays NaN and is no member of the family.

    Rejecting where one is at most 5% keeps the probability of one false rejection or more at 5%, whatever the tests
    have to do with each other.
    """
    from statsmodels.stats.multitest import multipletests  # half a second of importing, which few drawings need

    adjusted = np.array(p_values, dtype=float)
    family = ~np.isnan(adjusted)
    if family.any():
        adjusted[family] = multipletests(adjusted[family], method="holm")[1]
    return adjusted


def paired_differences(values: pd.Series, others: pd.Series) -> pd.Series:
    """values - others of the seeds that both have, by seed, sorted; not finite where either replica diverged.

    To nine decimals, so that differences that are equal are so to the last bit, and have no spread.
    """
    seeds = sorted(set(values.index) & set(others.index))
    return (values[seeds] - others[seeds]).round(9)


def slope_parts(x: Values, y: Values) -> np.ndarray:
    """Each point's part in the slope of y against x by least squares: parts whose mean is the slope.

    With n points, mean x and mean y, and the sum of squares S of x - mean x, the slope b is the sum of
    (x_i - mean x) y_i / S. The part of point i is b + n (x_i - mean x) e_i / S, where e_i is its distance from the
    line. The standard error of the parts' mean is White's (1980) of the slope, times sqrt(n / (n - 1)): it holds where
    points scatter more at some x than at others, as test errors do where layers are hardly ever updated.
    """
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    centred = xs - xs.mean()
    weights = centred / (centred @ centred)
    slope = weights @ ys
    return slope + len(xs) * weights * (ys - ys.mean() - slope * centred)


def summarise(values: Values) -> Verdict:
    """Mean and intervals alone, where the paper has no number; a value that is not finite means that it diverged."""
    finite = _finite(values)
    mean = float(finite.mean()) if len(finite) else math.nan
    low, high = t_interval(finite)
    prediction_low, prediction_high = prediction_interval(finite)
    n_diverged = len(values) - len(finite)
    why = "no published number"
    return Verdict("", why, len(finite), n_diverged, mean, low, high, prediction_low, prediction_high, math.nan)


def verdict(
    values: Values,
    published: float,
    margin: float,
    comparable: bool,
    reading_error: float = 0.0,
    lower_is_better: bool = True,
    failure: str = "diverged",
    direction: str = TWO_SIDED,
) -> Verdict:
    """Judges one published number by our replicas. The first of these that holds is the verdict:

    1. *missing*: no values.
    2. *not comparable*: said by the caller. Nothing below can turn it into a success or a failure.
    3. *differs (worse)*: a replica diverged (its value is not finite). The mean of the survivors is shown, but is no
       estimate of the method: leaving failures out would flatter it.
    4. *inconclusive*: one replica, so no spread and no test.
    5. *reproduced*: both one-sided tests reject at 5%, so the mean is inside published -+ margin.
    6. *consistent*: the published number (-+ its reading error) lies in our 95% prediction interval. This comes before
       "differs" because the published number is one run: where runs spread more than the margin, an interval of the
       *mean* shrinks past it with n although the paper's run is an ordinary one. In this order a number drawn from
       our own distribution is called "differs" at most once in 20 (a test simulates it).
    7. *differs (better | worse)*: the 95% interval of our mean lies beyond published -+ margin.
    8. *inconclusive*: anything else.

    With two or three replicas the prediction interval is wide, and "consistent" then says little: read it with n.

    A published number may be a bound ("in under half the steps"): the values are then to be `AT_MOST` so much. In place
    of 5 to 8 comes *reproduced*, where the one-sided 95% upper confidence bound of our mean is at or below it; *differs
    (worse)*, where the lower one is above it; or else *inconclusive*. `AT_LEAST` is the mirror image.

    Args:
        values: one per replica; not finite means diverged.
        margin: half-width of the zone that counts as equal, > 0, in the unit of the values; 0 where the number is a
            bound, which needs no zone.
        reading_error: how far the number printed or read may lie from the one that the authors measured.
        failure: in words, what a value that is not finite means for the replica.
        direction: `TWO_SIDED`, `AT_MOST` or `AT_LEAST`.

    Raises:
        ValueError: a margin that is not positive (not 0 for a bound), a published number that is not finite, or an
            unknown direction.
    """
    if direction not in (TWO_SIDED, AT_MOST, AT_LEAST):
        raise ValueError(f"a number is {TWO_SIDED!r}, {AT_MOST!r} or {AT_LEAST!r}, not {direction!r}")
    a_bound = direction != TWO_SIDED
    if not ((margin == 0 if a_bound else 0 < margin < math.inf) and math.isfinite(published)):
        needed = "margin 0 beside a bound" if a_bound else "margin > 0"
        raise ValueError(f"a verdict needs a finite number and a {needed}, not {published} and {margin}")
    found = summarise(values)
    finite, n_all = _finite(values), len(values)
    p = bound_p(finite, published, direction) if a_bound else equivalence_p(finite, published, margin)

    zone = f"{published:g} ± {margin:g}"
    mean_interval = f"the 95% interval {found.low:.4g} to {found.high:.4g}"
    prediction = f"the 95% prediction interval {found.prediction_low:.4g} to {found.prediction_high:.4g}"
    spread = " (all replicas are equal)" if found.n and np.ptp(finite) == 0 else ""
    side = "better" if (found.mean < published) == lower_is_better else "worse"
    if n_all == 0:
        word, why = "missing", "no replica"
    elif not comparable:
        word, why = "not comparable", "made under other conditions than the paper's"
    elif found.n_diverged:
        word, why = "differs (worse)", f"{found.n_diverged} of {n_all} replicas {failure}"
    elif found.n == 1:
        word, why = "inconclusive", "one replica: no interval"
    elif a_bound:
        word, why = _against_bound(finite, published, p, direction)
        why += spread
    elif p <= LEVEL:
        word, why = "reproduced", f"mean inside {zone}: two one-sided t tests, p = {p:.2g}{spread}"
    elif found.prediction_low - reading_error <= published <= found.prediction_high + reading_error:
        word, why = "consistent", f"{published:g} lies in {prediction}{spread}"
    elif found.low > published + margin or found.high < published - margin:
        word, why = f"differs ({side})", f"{mean_interval} lies beyond {zone}{spread}"
    else:
        word, why = "inconclusive", f"{mean_interval} lies across the edge of {zone}"
    return replace(found, word=word, why=why, p_equivalence=p)


def _against_bound(values: np.ndarray, bound: float, p: float, direction: str) -> tuple[str, str]:
    """Word and why of a number that is a bound, for two values or more; `p` is that of `bound_p`."""
    lower, upper = t_interval(values, 1 - 2 * LEVEL)
    limits = {"upper": upper, "lower": lower}
    near, far = ("upper", "lower") if direction == AT_MOST else ("lower", "upper")
    beyond, breach = ("above", lower > bound) if direction == AT_MOST else ("below", upper < bound)
    if p <= LEVEL:
        kept = f"the one-sided 95% {near} bound {limits[near]:.4g} of the mean is {direction} {bound:g}"
        return "reproduced", f"{kept}: p = {p:.2g}"
    if breach:
        return "differs (worse)", f"the one-sided 95% {far} bound {limits[far]:.4g} of the mean is {beyond} {bound:g}"
    return "inconclusive", f"one-sided 95% bounds {lower:.4g} and {upper:.4g} of the mean on both sides of {bound:g}"


def _one_sided_p(values: Values, excess: float) -> float:
    """The probability of a mean so far below a limit (`excess` < 0) if the true mean is equal to the limit."""
    if np.ptp(values) == 0:
        return 0.0 if excess <= 0 else 1.0
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return float(stdtr(len(values) - 1, excess / error))


def _finite(values: Values) -> np.ndarray:
    """Those of replicas that did not diverge."""
    numbers = np.asarray(values, dtype=float)
    return numbers[np.isfinite(numbers)]


def _interval(values: Values, confidence: float, variance_factor: Callable[[int], float]) -> tuple[float, float]:
    n = len(values)
    if n < 2:
        return math.nan, math.nan
    t = float(stdtrit(n - 1, (1 + confidence) / 2))
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    half = t * deviation * math.sqrt(variance_factor(n))
    return mean - half, mean + half
