"""Estimates against hand-computed numbers, scipy's and statsmodels' own, and simulation."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api
from scipy import stats

from benchmarks.gate import verdict as gate
from paper_figures.claims.estimates import LEVEL, curve_at, holm, mean_of, paired_differences, slope_of

FIVE = [1.0, 2.0, 3.0, 4.0, 5.0]  # mean 3, s = sqrt(2.5), t(0.975; 4) = 2.776445


def test_intervals_by_hand():
    assert mean_of(FIVE).interval() == pytest.approx((3 - 1.963243, 3 + 1.963243), abs=1e-6)
    assert mean_of(FIVE).prediction() == pytest.approx((3 - 4.808944, 3 + 4.808944), abs=1e-6)


@pytest.mark.parametrize("values", [[], [2.0]])
def test_too_few_values_have_no_interval(values):
    found = mean_of(values)
    tests = (found.p_equivalent(2, 1), found.p_beyond(2, 1))
    assert all(map(math.isnan, (*found.interval(), *found.prediction(), *tests)))


def test_equivalence_by_hand():
    # s.e. = 0.1 / sqrt(3), t = -0.3 / s.e. = -sqrt(27); with 2 degrees of freedom F(t) = 1/2 + t / (2 sqrt(2 + t^2)).
    by_hand = 0.5 - math.sqrt(27) / (2 * math.sqrt(29))
    assert mean_of([2.1, 2.2, 2.3]).p_equivalent(2.2, 0.3) == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_against_scipy(n):
    values = np.random.default_rng(n).normal(2.0, 0.2, n)
    test = stats.ttest_1samp(values, 2.2)
    assert mean_of(values).interval() == pytest.approx(tuple(test.confidence_interval(0.95)))
    above = stats.ttest_1samp(values, 2.2 - 0.3, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 2.2 + 0.3, alternative="less").pvalue
    assert mean_of(values).p_equivalent(2.2, 0.3) == pytest.approx(max(above, below))


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
        low, high = mean_of(values).interval()
        covered["mean"] += low <= 0 <= high
        low, high = mean_of(values).prediction()
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
    spread = mean_of([0.1, 0.2, 0.3])
    for found in (spread, mean_of([-0.1, -0.2, -0.3])):
        assert found.p_beyond(0, 0.1) == pytest.approx(2 * one_side, rel=1e-9)
    assert spread.p_beyond(1, 0.7) == pytest.approx(2 * one_side, rel=1e-9)
    assert spread.p_beyond(0, 0.3) == 1  # twice a p value above a half
    assert spread.no_finer_than(0.1) == spread  # spread enough


def test_equal_results_have_the_deviation_of_rounding():
    """Three equal results in steps of 0.1: the deviation is 0.1 / sqrt(6), t = 0.1 / it * sqrt(3)."""
    equal = mean_of([0.2, 0.2, 0.2])
    assert equal.deviation == 0
    assert all(math.isnan(p) for p in (equal.p_beyond(0, 0.1), equal.p_equivalent(0.2, 0.1), equal.p_below(9)))
    t = math.sqrt(18)
    by_hand = 0.5 - t / (2 * math.sqrt(2 + t**2))
    rounded = equal.no_finer_than(0.1)
    assert rounded.p_beyond(0, 0.1) == pytest.approx(2 * by_hand, rel=1e-9)
    assert rounded.p_equivalent(0.2, 0.1) == pytest.approx(by_hand, rel=1e-9)
    assert (rounded.p_below(0.3), rounded.p_above(0.1)) == pytest.approx((by_hand, by_hand), rel=1e-9)
    assert rounded.p_equivalent(0.1, 0.1) == pytest.approx(0.5)  # on the margin


@pytest.mark.parametrize("mean", [0.0, 0.1])
def test_beyond_a_margin_is_rarely_said_of_a_mean_that_is_not(mean):
    draws = np.random.default_rng(6).normal(mean, 1.0, (EXPERIMENTS, 3))  # the margin is small beside the noise
    said = sum(mean_of(values).p_beyond(0, 0.1) <= LEVEL for values in draws) / EXPERIMENTS
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


def test_a_slope_and_its_error_are_those_of_statsmodels():
    assert slope_of([0, 1, 2], [0, 2, 1]).mean == pytest.approx(0.5)
    rng = np.random.default_rng(8)
    x = rng.uniform(0, 1, 40)
    y = 2 + 0.5 * x + x * rng.normal(0, 1, 40)
    fit = statsmodels.api.OLS(y, statsmodels.api.add_constant(x)).fit(cov_type="HC1", use_t=True)
    found = slope_of(x, y)
    assert (found.mean, found.error, found.freedom) == pytest.approx((fit.params[1], fit.bse[1], 38))
    assert found.interval() == pytest.approx(tuple(fit.conf_int()[1]))
    assert np.ptp(found.prediction()) == pytest.approx(np.ptp(found.interval()) * math.sqrt(2))


@pytest.mark.parametrize("noise", ["even", "more at the ends"])
def test_coverage_of_a_slope(noise):
    """With 100 points, as here, White's interval covers a little less than its level."""
    rng = np.random.default_rng(9)
    x = (np.arange(100) + 0.5) / 100
    spread = 0.1 if noise == "even" else 0.05 + 0.4 * abs(x - 0.5)
    covered = 0
    for errors in rng.normal(0, 1, (2000, 100)):
        low, high = slope_of(x, 2 + 0.5 * x + spread * errors).interval()
        covered += low <= 0.5 <= high
    assert 0.95 - 0.012 - 4 * math.sqrt(0.95 * 0.05 / 2000) < covered / 2000 < 0.95 + 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_a_curve_and_its_prediction_are_those_of_statsmodels():
    rng = np.random.default_rng(10)
    x = rng.uniform(0.02, 1, 20)
    y = 3 * x**-0.5 * np.exp(rng.normal(0, 0.04, 20))
    powers = np.vander(np.log([*x, 0.125]), 4)
    fit = statsmodels.api.OLS(np.log(y), powers[:-1]).fit()
    expected = fit.get_prediction(powers[-1:])
    found = curve_at(x, y, 0.125)
    assert (found.n, found.freedom) == (20, 16)
    assert found.mean == pytest.approx(math.exp(expected.predicted_mean[0]), rel=1e-8)
    assert found.error / found.mean == pytest.approx(expected.se_mean[0], rel=1e-6)
    assert np.ptp(found.prediction()) / 2 / found.mean == pytest.approx(
        np.ptp(expected.conf_int(obs=True)) / 2, rel=1e-6
    )


def test_coverage_of_a_curve():
    """One more replica at a point, with a scatter of 4% about a curve that the polynomial can follow."""
    rng = np.random.default_rng(11)
    x = (np.arange(20) + 0.5) / 20
    covered = 0
    for *errors, following in rng.normal(0, 0.04, (2000, 21)):
        low, high = curve_at(x, 3 * x**-0.5 * np.exp(errors), 0.25).prediction()
        covered += low <= 6 * math.exp(following) <= high
    assert covered / 2000 == chance(0.95, 2000)
