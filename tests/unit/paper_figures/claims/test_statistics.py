"""Statistics against hand-computed numbers, scipy's own tests, and simulation."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api
from scipy import stats

from benchmarks.gate import verdict as gate
from paper_figures.claims.statistics import (
    LEVEL,
    VERDICTS,
    beyond_p,
    equivalence_p,
    holm,
    paired_differences,
    prediction_interval,
    slope_parts,
    summarise,
    t_interval,
    verdict,
)

FIVE = [1.0, 2.0, 3.0, 4.0, 5.0]  # mean 3, s = sqrt(2.5), t(0.975; 4) = 2.776445


def test_intervals_by_hand():
    assert t_interval(FIVE) == pytest.approx((3 - 1.963243, 3 + 1.963243), abs=1e-6)
    assert prediction_interval(FIVE) == pytest.approx((3 - 4.808944, 3 + 4.808944), abs=1e-6)


@pytest.mark.parametrize("values", [[], [2.0]])
def test_too_few_values_have_no_interval(values):
    assert all(math.isnan(x) for x in (*t_interval(values), *prediction_interval(values), equivalence_p(values, 2, 1)))


def test_equivalence_by_hand():
    # s.e. = 0.1 / sqrt(3), t = -0.3 / s.e. = -sqrt(27); with 2 degrees of freedom F(t) = 1/2 + t / (2 sqrt(2 + t^2)).
    by_hand = 0.5 - math.sqrt(27) / (2 * math.sqrt(29))
    assert equivalence_p([2.1, 2.2, 2.3], 2.2, 0.3) == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_against_scipy(n):
    values = np.random.default_rng(n).normal(2.0, 0.2, n)
    test = stats.ttest_1samp(values, 2.2)
    assert t_interval(values) == pytest.approx(tuple(test.confidence_interval(0.95)))
    above = stats.ttest_1samp(values, 2.2 - 0.3, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 2.2 + 0.3, alternative="less").pvalue
    assert equivalence_p(values, 2.2, 0.3) == pytest.approx(max(above, below))


EXPERIMENTS = 4000  # in a simulation


def chance(probability, experiments=EXPERIMENTS):
    """A share of simulated experiments, within four standard errors: one share in 16,000 lies beyond by chance."""
    return pytest.approx(probability, abs=4 * math.sqrt(probability * (1 - probability) / experiments))


@pytest.mark.parametrize("n", [2, 3, 5])
def test_coverage(n):
    """The true mean, and one more draw, lie in their intervals in 95% of experiments."""
    rng = np.random.default_rng(1)
    draws = rng.normal(0.0, 1.0, (EXPERIMENTS, n + 1))
    covered = {"mean": 0, "next": 0}
    for *values, following in draws:
        low, high = t_interval(values)
        covered["mean"] += low <= 0 <= high
        low, high = prediction_interval(values)
        covered["next"] += low <= following <= high
    assert covered["mean"] / EXPERIMENTS == chance(0.95)
    assert covered["next"] / EXPERIMENTS == chance(0.95)


def test_paired_differences_are_of_one_seed():
    own, others = pd.Series({7: 1.5, 0: 4.0, 3: 2.0}), pd.Series({0: 1.0, 3: math.nan, 9: 5.0, 7: 1.25})
    differences = paired_differences(own, others)
    assert list(differences.index) == [0, 3, 7] and list(differences.dropna()) == [3.0, 0.25]
    assert paired_differences(own, pd.Series({1: 2.0})).empty
    assert np.ptp(paired_differences(pd.Series([0.3, 1.3, 2.3]), pd.Series([0.1, 1.1, 2.1]))) == 0


def test_beyond_a_margin_by_hand():
    """As in `test_equivalence_by_hand`: the mean 0.2 is 0.1 above the margin, t = sqrt(3), on either of two sides."""
    one_side = 0.5 - math.sqrt(3) / (2 * math.sqrt(5))
    for sign in (1, -1):
        assert beyond_p([sign * 0.1, sign * 0.2, sign * 0.3], 0.1) == pytest.approx(2 * one_side, rel=1e-9)
    assert beyond_p([0.1, 0.2, 0.3], 0.3) == 1  # twice a p value above a half
    assert (beyond_p([0.2, 0.2], 0.1), beyond_p([0.2, 0.2], 0.2), beyond_p([0.0, 0.0], 0.1)) == (0, 1, 1)
    assert math.isnan(beyond_p([0.2], 0.1))
    # Three equal differences of results in steps of 0.1: the deviation is 0.1 / sqrt(6), t = 0.1 / it * sqrt(3).
    t = math.sqrt(18)
    by_hand = 2 * (0.5 - t / (2 * math.sqrt(2 + t**2)))
    assert beyond_p([0.2, 0.2, 0.2], 0.1, resolution=0.1) == pytest.approx(by_hand, rel=1e-9)
    assert beyond_p([0.1, 0.2, 0.3], 0.1, resolution=0.1) == pytest.approx(2 * one_side, rel=1e-9)  # spread enough


@pytest.mark.parametrize("mean", [0.0, 0.1])
def test_beyond_a_margin_is_rarely_said_of_a_mean_that_is_not(mean):
    draws = np.random.default_rng(6).normal(mean, 1.0, (EXPERIMENTS, 3))  # the margin is small beside the noise
    said = sum(beyond_p(values, 0.1) <= LEVEL for values in draws) / EXPERIMENTS
    assert said <= LEVEL + 4 * math.sqrt(LEVEL * (1 - LEVEL) / EXPERIMENTS)


def test_holm_by_hand():
    """Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, and none below one before it."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.4, math.nan, 0.9]) == pytest.approx([0.8, math.nan, 0.9], nan_ok=True)
    assert list(holm([])) == [] and np.isnan(holm([math.nan])).all()


def test_holm_rejects_what_the_regression_gate_rejects(monkeypatch):
    """The gate calls it thousands of times, so it has its own few lines: the library's function is slow."""
    monkeypatch.setattr("gc.collect", lambda: 0)
    rng = np.random.default_rng(7)
    for _ in range(50):
        p_values = rng.uniform(0, 1, 30) ** 4
        rejected = {str(i) for i in np.flatnonzero(holm(p_values) <= LEVEL)}
        assert rejected == gate.holm({str(i): p for i, p in enumerate(p_values)}, LEVEL)


def test_parts_of_a_slope():
    """Through (0, 0), (1, 2), (2, 1): slope 1/2, S = 2, distances -1/2, 1, -1/2; 1/2 + 3 (x - 1) e / 2."""
    assert slope_parts([0, 1, 2], [0, 2, 1]) == pytest.approx([1.25, 0.5, -0.25])
    rng = np.random.default_rng(8)
    x = rng.uniform(0, 1, 40)
    y = 2 + 0.5 * x + x * rng.normal(0, 1, 40)
    parts = slope_parts(x, y)
    fit = statsmodels.api.OLS(y, statsmodels.api.add_constant(x)).fit(cov_type="HC0")
    assert parts.mean() == pytest.approx(fit.params[1])
    assert parts.std(ddof=1) / math.sqrt(40) == pytest.approx(fit.bse[1] * math.sqrt(40 / 39))


@pytest.mark.parametrize("noise", ["even", "more at the ends"])
def test_coverage_of_a_slope(noise):
    """With 100 points, as here, White's interval covers a little less than its level."""
    rng = np.random.default_rng(9)
    x = (np.arange(100) + 0.5) / 100
    spread = 0.1 if noise == "even" else 0.05 + 0.4 * abs(x - 0.5)
    covered = 0
    for errors in rng.normal(0, 1, (2000, 100)):
        low, high = t_interval(slope_parts(x, 2 + 0.5 * x + spread * errors))
        covered += low <= 0.5 <= high
    assert 0.95 - 0.012 - 4 * math.sqrt(0.95 * 0.05 / 2000) < covered / 2000 < 0.95 + 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_reproduced_is_rarely_said_of_a_mean_on_the_margin():
    rng = np.random.default_rng(2)
    words = [verdict(values, 2.0, 0.3, True).word for values in rng.normal(2.3, 0.1, (3000, 3))]
    assert 0.03 < words.count("reproduced") / len(words) < LEVEL + 0.012


@pytest.mark.parametrize("n", [3, 10, 30])
def test_differs_is_rarely_said_of_a_draw_from_our_own_distribution(n):
    """Even where runs spread more than the margin and n is large, because of the order of verdicts."""
    rng = np.random.default_rng(3)
    draws = rng.normal(5.0, 1.0, (2000, n + 1))
    words = [verdict(values, published, 0.3, True).word for *values, published in draws]
    assert sum(word.startswith("differs") for word in words) / len(words) < LEVEL + 0.012


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([2.1, 2.2, 2.3], "reproduced"),
        ([2.2, 2.2, 2.2], "reproduced"),  # no spread
        ([2.2, 2.2], "reproduced"),
        ([1.9, 2.2, 2.8], "consistent"),
        ([3.0, 3.05, 3.1], "differs (worse)"),
        ([3.0, 3.0, 3.0], "differs (worse)"),
        ([1.2, 1.25, 1.3], "differs (better)"),
        ([2.40, 2.44, 2.48], "inconclusive"),  # the interval of the mean crosses 2.5, the prediction excludes 2.2
        ([2.2], "inconclusive"),
        ([9.9], "inconclusive"),
        ([], "missing"),
        ([2.2, 2.2, math.nan], "differs (worse)"),
        ([1.0, 1.0, math.inf], "differs (worse)"),
        ([math.nan], "differs (worse)"),
    ],
)
def test_verdicts(values, word):
    result = verdict(values, 2.2, 0.3, comparable=True)
    assert result.word == word and result.why
    assert word.split(" (")[0] in VERDICTS
    assert result.n + result.n_diverged == len(values)
    expected = "not comparable" if values else "missing"
    assert verdict(values, 2.2, 0.3, comparable=False).word == expected


def test_diverged_replicas_are_counted_and_named():
    result = verdict([2.0, 2.2, math.nan], 2.2, 0.3, comparable=True)
    assert (result.n, result.n_diverged, result.mean) == (2, 1, pytest.approx(2.1))
    assert result.why == "1 of 3 replicas diverged"


def test_side_follows_the_metric():
    assert verdict([3.0, 3.2], 1.0, 0.1, True).word == "consistent"  # two replicas predict next to nothing
    assert verdict([3.0, 3.01, 3.02], 1.0, 0.1, True, lower_is_better=False).word == "differs (better)"


def test_reading_error_widens_what_is_consistent():
    values = [2.40, 2.44, 2.48]  # predicts 2.24 to 2.64
    assert verdict(values, 2.2, 0.3, True, reading_error=0.05).word == "consistent"


def test_no_spread_is_said():
    assert "all replicas are equal" in verdict([2.2, 2.2], 2.2, 0.3, True).why


@pytest.mark.parametrize(("published", "margin"), [(2.2, 0.0), (2.2, -1.0), (math.nan, 0.3), (2.2, math.nan)])
def test_a_margin_is_needed(published, margin):
    with pytest.raises(ValueError, match="margin > 0"):
        verdict([2.2, 2.3], published, margin, True)


def test_values_without_a_published_number_are_summarised():
    summary = summarise([1.0, 2.0, 3.0, 4.0, 5.0, math.nan])
    assert (summary.word, summary.n, summary.n_diverged, summary.mean) == ("", 5, 1, 3)
    assert (summary.low, summary.high) == pytest.approx(t_interval(FIVE))
    assert (summary.prediction_low, summary.prediction_high) == pytest.approx(prediction_interval(FIVE))
    assert math.isnan(summary.p_equivalence) and math.isnan(summarise([]).mean)
