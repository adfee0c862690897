"""The verdict on one published number."""

from __future__ import annotations

import math
from dataclasses import dataclass

from paper_figures.claims.estimates import LEVEL, Estimate

# What a published number says: it is so much, or no more than so much, or no less.
TWO_SIDED, AT_MOST, AT_LEAST = "two-sided", "at most", "at least"

FEWEST = 3  # replicas that "consistent" needs
WIDEST = 2  # half-width of the prediction interval, in margins, up to which "consistent" is said

VERDICTS = {
    "reproduced": "our mean equals the paper's number within the margin (two one-sided t tests, 5%)",
    "consistent": "the paper's number lies in our 95% prediction interval (that of one more run), which has a "
    f"half-width of at most {WIDEST} margins and is from {FEWEST} replicas or more",
    "differs": "the paper's number lies outside our 95% prediction interval, and our mean's 95% interval beyond the "
    "margin, on the side given in brackets; or a replica diverged (worse)",
    "inconclusive": "too few replicas, or too much spread, to tell",
    "not comparable": "stand-in data, reduced sizes, changed choices, or stopped early",
    "missing": "no run, or not evaluated there",
}

UNJUDGED = ("not comparable", "missing")  # those that say nothing of the paper's number


@dataclass(frozen=True)
class Verdict:
    """A word of `VERDICTS` ("differs" with the side in brackets) and what it rests on; NaN where it cannot be computed.

    Attributes:
        why: one clause in words, with the numbers.
        prediction_low, prediction_high: the 95% prediction interval that the verdict uses, in which our deviation is
            no smaller than the rounding of results gives it.
        resolves: its half-width in margins. NaN for a bound, which has no margin.
        p_equivalence: the larger p value of the two one-sided tests; of the one test where the number is a bound.
    """

    word: str
    why: str
    prediction_low: float
    prediction_high: float
    resolves: float
    p_equivalence: float


def verdict(
    estimate: Estimate,
    published: float,
    margin: float,
    comparable: bool,
    reading_error: float = 0.0,
    resolution: float = 0.0,
    lower_is_better: bool | None = True,
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
    6. The published number (-+ its reading error) lies in our 95% prediction interval. It is *consistent* if there are
       `FEWEST` replicas or more and the interval's half-width is at most `WIDEST` margins. Else it is *inconclusive*:
       such an interval contains numbers that are far from each other. This comes before "differs" because the
       published number is one run: where runs spread more than the margin, an interval of the *mean* shrinks past it
       with n although the paper's run is an ordinary one. In this order a number drawn from our own distribution is
       called "differs" at most once in 20 (a test simulates it).
    7. *differs (better | worse)*, or *(lower | higher)*: the 95% interval of our mean lies beyond published -+ margin.
    8. *inconclusive*: anything else.

    In all tests our deviation is no smaller than that of two results which are rounded to `resolution`. Two replicas
    with equal results, such as task lengths, therefore prove nothing.

    A published number may be a bound ("in under half the steps"): the values are then to be `AT_MOST` so much. In place
    of 5 to 8 comes *reproduced*, where the one-sided 95% upper confidence bound of our mean is below it; *differs
    (worse)*, where the lower one is above it; or else *inconclusive*. `AT_LEAST` is the mirror image.

    Args:
        estimate: from one value per replica.
        margin: half-width of the zone that counts as equal, > 0, in the unit of the values; 0 where the number is a
            bound, which needs no zone. A difference of exactly the margin is not inside.
        reading_error: how far the number printed or read may lie from the one that the authors measured.
        resolution: results that differ by less are alike; no finer than twice the reading error counts.
        lower_is_better: None where neither is, as for a trend: the side is then "lower" or "higher".
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
    rounded = estimate.no_finer_than(max(resolution, 2 * reading_error))
    if a_bound:
        p = rounded.p_below(published) if direction == AT_MOST else rounded.p_above(published)
    else:
        p = rounded.p_equivalent(published, margin)
    if estimate.n + estimate.n_diverged == 0:
        word, why = "missing", "no replica"
    elif not comparable:
        word, why = "not comparable", "made under other conditions than the paper's"
    elif estimate.n_diverged:
        word = "differs (worse)"
        why = f"{estimate.n_diverged} of {estimate.n + estimate.n_diverged} replicas {failure}"
    elif estimate.n == 1:
        word, why = "inconclusive", "one replica: no interval"
    elif not rounded.error > 0:
        word, why = "inconclusive", "all replicas are equal, and no resolution is given: no interval"
    elif a_bound:
        word, why = _against_bound(rounded, p, published, direction)
    else:
        word, why = _against_number(rounded, p, published, margin, reading_error, lower_is_better)
    low, high = rounded.prediction()
    return Verdict(word, why, low, high, math.nan if a_bound else (high - low) / 2 / margin, p)


def _against_number(
    estimate: Estimate, p: float, published: float, margin: float, reading_error: float, lower_is_better: bool | None
) -> tuple[str, str]:
    """Word and why of a two-sided number, for two replicas or more with a spread; `p` is that of equivalence."""
    zone = f"{published:g} ± {margin:g}"
    low, high = estimate.interval()
    prediction_low, prediction_high = estimate.prediction()
    half = (prediction_high - prediction_low) / 2
    if p <= LEVEL:
        return "reproduced", f"mean inside {zone}: two one-sided t tests, p = {p:.2g}"
    if prediction_low - reading_error <= published <= prediction_high + reading_error:
        if half > WIDEST * margin:
            return "inconclusive", f"prediction interval ±{half:.3g} is {half / margin:.2g} margins wide"
        if estimate.n < FEWEST:
            return "inconclusive", f"{estimate.n} replicas: 'consistent' needs {FEWEST}"
        is_inside = prediction_low <= published <= prediction_high
        where = "lies in" if is_inside else f"± {reading_error:g}, its reading error, reaches into"
        return "consistent", (
            f"{published:g} {where} the 95% prediction interval {prediction_low:.4g} to {prediction_high:.4g}"
        )
    interval = f"the 95% interval {low:.4g} to {high:.4g}"
    if low > published + margin or high < published - margin:
        is_lower = estimate.mean < published
        side = ("lower" if is_lower else "higher") if lower_is_better is None else ""
        side = side or ("better" if is_lower == lower_is_better else "worse")
        return f"differs ({side})", f"{interval} lies beyond {zone}"
    return "inconclusive", f"{interval} lies across the edge of {zone}"


def _against_bound(estimate: Estimate, p: float, bound: float, direction: str) -> tuple[str, str]:
    """Word and why of a number that is a bound, for two replicas or more with a spread; `p` is that of the bound."""
    lower, upper = estimate.interval(1 - 2 * LEVEL)
    limits = {"upper": upper, "lower": lower}
    near, far = ("upper", "lower") if direction == AT_MOST else ("lower", "upper")
    beyond, breach = ("above", lower > bound) if direction == AT_MOST else ("below", upper < bound)
    if p <= LEVEL:
        kept = f"the one-sided 95% {near} bound {limits[near]:.4g} of the mean is {direction} {bound:g}"
        return "reproduced", f"{kept}: p = {p:.2g}"
    if breach:
        return "differs (worse)", f"the one-sided 95% {far} bound {limits[far]:.4g} of the mean is {beyond} {bound:g}"
    return "inconclusive", f"one-sided 95% bounds {lower:.4g} and {upper:.4g} of the mean on both sides of {bound:g}"
