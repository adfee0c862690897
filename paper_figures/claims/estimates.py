"""What replicas say about a mean, a fit or a slope: the estimate, its uncertainty, and that of one more run.

Everything assumes that replicas (independent seeds) are draws of one normal distribution, about their mean or about a
curve. Student's t keeps its coverage at the three to ten replicas that runs of this kind have; a percentile bootstrap
of so few does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

Values: TypeAlias = Sequence[float] | np.ndarray | pd.Series  # one number for each replica

LEVEL = 0.05  # of every one-sided test; the intervals cover 1 - LEVEL
DEGREE = 3  # of the polynomial that is fitted to the logarithms of errors
LEAST_TO_FIT = DEGREE + 4  # replicas: with fewer than three degrees of freedom an interval says nothing


@dataclass(frozen=True)
class Estimate:
    """A number estimated from replicas. What cannot be computed is NaN.

    Attributes:
        n: replicas that it rests on; n_diverged: those left out because they diverged.
        mean: the estimate.
        deviation: standard deviation of one more run about the true value.
        leverage: variance of the estimate over that of one more run, 1 / n for a mean.
        freedom: degrees of freedom of `deviation`.
    """

    n: int
    n_diverged: int
    mean: float
    deviation: float
    leverage: float
    freedom: int

    @property
    def error(self) -> float:
        """The standard error of the estimate."""
        return self.deviation * math.sqrt(self.leverage)

    def interval(self, confidence: float = 1 - LEVEL) -> tuple[float, float]:
        """The t interval of the true value."""
        return self._within(self.error, confidence)

    def prediction(self, confidence: float = 1 - LEVEL) -> tuple[float, float]:
        """The t interval of one more run."""
        return self._within(self.deviation * math.sqrt(1 + self.leverage), confidence)

    def no_finer_than(self, resolution: float) -> Estimate:
        """The same with a deviation of at least resolution / sqrt(6).

        Results in steps of `resolution` agree by chance now and then, and then seem to have no spread. The difference
        of two numbers that are rounded to such steps has the variance resolution^2 / 6 from rounding alone.
        """
        floor = resolution / math.sqrt(6)
        return replace(self, deviation=floor) if self.deviation < floor else self

    def p_below(self, limit: float) -> float:
        """The t test of true value < limit; NaN where there is no spread, because there is nothing to test with."""
        if not self.error > 0:
            return math.nan
        return float(stdtr(self.freedom, (self.mean - limit) / self.error))

    def p_above(self, limit: float) -> float:
        """The t test of true value > limit; NaN where there is no spread."""
        return replace(self, mean=-self.mean).p_below(-limit)

    def p_equivalent(self, target: float, margin: float) -> float:
        """The two one-sided t tests of |true value - target| < margin: the larger of the two p values.

        The margin is exclusive: an estimate on the margin has p = 0.5.
        """
        return max(self.p_below(target + margin), self.p_above(target - margin))

    def p_beyond(self, target: float, margin: float) -> float:
        """The t test of |true value - target| > margin: twice the p value of its nearer side, at most 1.

        Doubled, because either side would do.
        """
        nearer = min(self.p_below(target - margin), self.p_above(target + margin))
        return nearer if math.isnan(nearer) else min(1.0, 2 * nearer)

    def _within(self, error: float, confidence: float) -> tuple[float, float]:
        if self.freedom < 1:
            return math.nan, math.nan
        half = float(stdtrit(self.freedom, (1 + confidence) / 2)) * error
        return self.mean - half, self.mean + half


def mean_of(values: Values) -> Estimate:
    """The mean of those replicas that did not diverge; a value that is not finite means that one did."""
    numbers = np.asarray(values, dtype=float)
    finite = numbers[np.isfinite(numbers)]
    n = len(finite)
    mean = float(finite.mean()) if n else math.nan
    deviation = math.nan if n < 2 else float(finite.std(ddof=1)) if np.ptp(finite) else 0.0  # exactly, if all are equal
    return Estimate(n, len(numbers) - n, mean, deviation, 1 / n if n else math.nan, n - 1)


def no_estimate(n: int, n_diverged: int) -> Estimate:
    """That of replicas of which so many diverged that the `n` others do not give a number."""
    return Estimate(n, n_diverged, math.nan, math.nan, math.nan, 0)


def curve_at(x: Values, y: Values, at: float) -> Estimate:
    """The value at `at` of the curve through the replicas, log y = a cubic polynomial of log x, by least squares.

    The deviation is that of one more replica at `at`. It is relative to the curve's value, so it is even where values
    spread in proportion to their size.

    Args:
        x, y: positive, one pair per replica that did not diverge; `LEAST_TO_FIT` or more.
        at: within the range of x: a polynomial says nothing beyond it.
    """
    log_x, log_y = np.log(np.asarray(x, dtype=float)), np.log(np.asarray(y, dtype=float))
    # Powers of numbers about zero, because the powers of log x alone are nearly parallel.
    centre = log_x.mean()
    powers, here = (np.vander(values - centre, DEGREE + 1) for values in (log_x, np.log([at])))
    coefficients = np.linalg.lstsq(powers, log_y, rcond=None)[0]
    freedom = len(log_y) - (DEGREE + 1)
    residual = log_y - powers @ coefficients
    mean = math.exp((here @ coefficients).item())
    deviation = mean * math.sqrt(residual @ residual / freedom)
    leverage = (here @ np.linalg.solve(powers.T @ powers, here.T)).item()
    return Estimate(len(log_y), 0, mean, deviation, leverage, freedom)


def slope_of(x: Values, y: Values) -> Estimate:
    """The slope of y against x by least squares, from three replicas or more.

    Its standard error is White's (1980) with the factor sqrt(n / (n - 2)), known as HC1. It holds where points scatter
    more at some x than at others, as test errors do where layers are hardly ever updated. One more run is one more set
    of replicas, whose slope varies as much.
    """
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    centred, n = xs - xs.mean(), len(xs)
    weights = centred / (centred @ centred)
    slope = float(weights @ ys)
    distances = ys - ys.mean() - slope * centred
    error = math.sqrt(float(np.sum((weights * distances) ** 2)) * n / (n - 2))
    return Estimate(n, 0, slope, error, 1.0, n - 2)


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
