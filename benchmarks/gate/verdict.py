"""Slower, not slower, or inconclusive: statistics of log ratios of times, for many benchmarks and several looks.

Guarantees, for normal noise or noise with outliers, at the level of gate.toml (5%):
- If no benchmark of a family is slower by more than its margin, one or more are called slower in at most 5% of
  comparisons, however many benchmarks and looks there are: each p value is multiplied by the number of looks
  (Bonferroni), and Holm's procedure runs over the benchmarks.
- A benchmark that is slower by its margin or more is called not slower in at most 5% of comparisons. Holm's procedure
  is not needed here, because a comparison passes only if *every* benchmark passes.

A log ratio is log(HEAD / BASE): 0.05 is 5% slower. A pair of processes gives one log ratio. Means are trimmed by a
tenth at each end, because occasionally a process is slow by a tenth or a half for reasons of its own. Without trimming,
one such pair in ten doubles the interval at ten pairs; with normal noise, trimming widens it by a twelfth.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

TRIM = 0.1
EXIT_CODES = {"slower": 1, "not comparable": 3, "inconclusive": 2, "not slower": 0}  # the first that occurs counts


@dataclass(frozen=True)
class Difference:
    """A mean log ratio of times, HEAD over BASE; its error is infinite if there are too few values.

    Attributes:
        n: pairs, or processes of the side that has fewer.
        error: the mean's standard error.
        freedom: degrees of freedom of Student's t.
    """

    n: int
    mean: float
    error: float
    freedom: float

    def p_slower(self, margin: float) -> float:
        """One-sided p value of "slower by at most `margin`", a log ratio. Without spread it is 0 or 1."""
        if self.error == 0:
            return 0.0 if self.mean > margin else 1.0
        return float(stdtr(self.freedom, (margin - self.mean) / self.error)) if math.isfinite(self.error) else 1.0

    def interval(self, level: float) -> tuple[float, float]:
        """Lower and upper bound of the mean; each is wrong with probability `level`."""
        half = self.error * -float(stdtrit(self.freedom, level)) if math.isfinite(self.error) else math.inf
        return self.mean - half, self.mean + half


def paired(log_ratios: Sequence[float] | np.ndarray) -> Difference:
    """The difference from pairs of processes, which ran under the same conditions of the machine."""
    mean, error, freedom = _trimmed(log_ratios)
    return Difference(len(log_ratios), mean, error, freedom)


def unpaired(base: Sequence[float] | np.ndarray, head: Sequence[float] | np.ndarray) -> Difference:
    """The difference from log times of processes that ran separately, with Welch's interval."""
    (base_mean, base_error, base_freedom), (head_mean, head_error, head_freedom) = _trimmed(base), _trimmed(head)
    error, freedom = math.hypot(base_error, head_error), min(base_freedom, head_freedom)
    if 0 < error < math.inf:
        freedom = error**4 / (base_error**4 / base_freedom + head_error**4 / head_freedom)
    return Difference(min(len(base), len(head)), head_mean - base_mean, error, freedom)


def _trimmed(values: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    """Trimmed mean, its standard error from the winsorized variance, degrees of freedom (Tukey and McLaughlin 1963)."""
    ordered = np.sort(np.asarray(values, float))
    cut = int(TRIM * len(ordered))
    kept = len(ordered) - 2 * cut
    mean = float(ordered[cut : cut + kept].mean())
    if kept < 2:
        return mean, math.inf, 1
    if np.ptp(ordered) == 0:
        return mean, 0.0, kept - 1
    winsorized = np.clip(ordered, ordered[cut], ordered[-1 - cut])
    squares = float(((winsorized - winsorized.mean()) ** 2).sum())
    return mean, math.sqrt(squares / (kept * (kept - 1))), kept - 1


def looks(pairs: int, max_pairs: int) -> list[int]:
    """The numbers of pairs after which verdicts are computed: doubled each time, up to `max_pairs`."""
    doubled = itertools.takewhile(lambda n: n < max_pairs, (pairs * 2**k for k in itertools.count()))
    return [*doubled, max_pairs]


def holm(p_values: Mapping[str, float], level: float) -> set[str]:
    """Names whose hypotheses Holm's procedure rejects, at a family-wise error rate of `level`."""
    rejected: set[str] = set()
    for name in sorted(p_values, key=p_values.__getitem__):
        if p_values[name] > level / (len(p_values) - len(rejected)):
            break
        rejected.add(name)
    return rejected


class Family:
    """The verdicts on a family of benchmarks, at a fixed number of looks; benchmarks without a verdict get more pairs.

    The error rate stays below the level for this reason. The p value of a benchmark is the number of looks times the p
    value at its last look. This is never below the number of looks times the smallest p value over all looks, which is
    a valid p value. Holm's procedure rejects no more when p values are larger.

    Args:
        margins: by name, the share by which HEAD may be slower, as 0.03. Benchmarks that turn out not to be comparable
            are included, because membership in the family must not depend on what is measured.
    """

    def __init__(self, margins: Mapping[str, float], level: float, looks: int) -> None:
        self.margins = {name: math.log1p(margin) for name, margin in margins.items()}
        self.level, self.looks = level, looks
        self.p_values = dict.fromkeys(margins, 1.0)
        self.words: dict[str, str] = {}

    def look(self, differences: Mapping[str, Difference]) -> None:
        """Decide the benchmarks that have no verdict yet, where possible."""
        found = {name: difference for name, difference in differences.items() if name not in self.words}
        for name, difference in found.items():
            self.p_values[name] = min(1.0, self.looks * difference.p_slower(self.margins[name]))
        slower = holm(self.p_values, self.level)
        for name, difference in found.items():
            if name in slower:
                self.words[name] = "slower"
            elif difference.interval(self.level / self.looks)[1] < self.margins[name]:
                self.words[name] = "not slower"


def exit_code(words: Sequence[str]) -> int:
    """The exit code of the first of slower, not comparable, inconclusive and not slower that occurs."""
    return next(EXIT_CODES[word] for word in EXIT_CODES if word in words)
