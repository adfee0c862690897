"""Slower, not slower, or inconclusive: statistics of log ratios of times, for many benchmarks and several looks.

What is promised, for normal noise or noise with outliers, at the level of gate.toml (5%):
- Of a family of benchmarks none of which is slower by more than its margin, one or more are called slower in at most 5%
  of comparisons, however many benchmarks and looks there are: each p value is multiplied by the number of looks
  (Bonferroni), and Holm's procedure runs over the benchmarks.
- One that is slower by its margin or more is called not slower in at most 5% of comparisons. Holm is not needed here:
  a comparison passes only if *every* benchmark does.

A log ratio is log(HEAD / BASE): 0.05 is 5% slower. A pair of processes gives one. Means are trimmed by a tenth at each
end, because now and then a process is slow by a tenth or a half for reasons of its own: without trimming, one such pair
in ten doubles the interval at ten pairs, and with normal noise trimming costs it a twelfth.
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
    """A mean log ratio of times, HEAD over BASE; infinitely uncertain where there are too few values.

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
        """One-sided p value of "slower by at most `margin`", a log ratio. Without spread there is nothing to test."""
        if self.error == 0:
            return 0.0 if self.mean > margin else 1.0
        return float(stdtr(self.freedom, (margin - self.mean) / self.error)) if math.isfinite(self.error) else 1.0

    def interval(self, level: float) -> tuple[float, float]:
        """Bounds of the mean, each of which is missed with probability `level`."""
        half = self.error * -float(stdtrit(self.freedom, level)) if math.isfinite(self.error) else math.inf
        return self.mean - half, self.mean + half


def paired(log_ratios: Sequence[float]) -> Difference:
    """Of pairs of processes, which share what the machine was doing at the time."""
    mean, error, freedom = _trimmed(log_ratios)
    return Difference(len(log_ratios), mean, error, freedom)


def unpaired(base: Sequence[float], head: Sequence[float]) -> Difference:
    """Of log times of processes that ran apart: Welch's interval."""
    (base_mean, base_error, base_freedom), (head_mean, head_error, head_freedom) = _trimmed(base), _trimmed(head)
    error, freedom = math.hypot(base_error, head_error), min(base_freedom, head_freedom)
    if 0 < error < math.inf:
        freedom = error**4 / (base_error**4 / base_freedom + head_error**4 / head_freedom)
    return Difference(min(len(base), len(head)), head_mean - base_mean, error, freedom)


def _trimmed(values: Sequence[float]) -> tuple[float, float, float]:
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
    """Numbers of pairs at which verdicts are sought: twice as many each time, up to the cap."""
    doubled = itertools.takewhile(lambda n: n < max_pairs, (pairs * 2**k for k in itertools.count()))
    return [*doubled, max_pairs]


def holm(p_values: Mapping[str, float], level: float) -> set[str]:
    """Names whose hypotheses Holm's procedure rejects, with the family-wise error rate at `level`."""
    rejected: set[str] = set()
    for name in sorted(p_values, key=p_values.__getitem__):
        if p_values[name] > level / (len(p_values) - len(rejected)):
            break
        rejected.add(name)
    return rejected


class Family:
    """The verdicts on a family of benchmarks, of which those still open get more pairs, at a fixed number of looks.

    Why its rejections keep the level: a p value counts as the number of looks times that of the look at which its
    benchmark stood last, which is never below the least over all looks times their number, a valid p value; and Holm's
    procedure rejects no more with greater p values.

    Args:
        margins: by name, the share by which HEAD may be slower, as 0.03. Those of benchmarks that turn out not to be
            comparable count too: who is in the family must not hang on what is measured.
    """

    def __init__(self, margins: Mapping[str, float], level: float, looks: int) -> None:
        self.margins = {name: math.log1p(margin) for name, margin in margins.items()}
        self.level, self.looks = level, looks
        self.p_values = dict.fromkeys(margins, 1.0)
        self.words: dict[str, str] = {}

    def look(self, differences: Mapping[str, Difference]) -> None:
        """Decide what can be decided of the benchmarks that are still open."""
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
    """Of a comparison: that of the first of slower, not comparable, inconclusive, not slower which occurs."""
    return next(EXIT_CODES[word] for word in EXIT_CODES if word in words)
