"""The gate's statistics: numbers by hand, scipy's own, and simulations of whole comparisons."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.gate.verdict import EXIT_CODES, Difference, Family, exit_code, holm, looks, paired, unpaired

LEVEL, MARGIN = 0.05, 0.03


def noisy_pairs(rng: np.random.Generator, true: float, pairs: int, deviation: float, outliers: float) -> np.ndarray:
    """Log ratios [pairs] of a benchmark that is slower by `true`; some processes are slower by a further 10 to 50%."""
    process = rng.normal(0, deviation / 2**0.5, (2, pairs))
    process += (rng.random((2, pairs)) < outliers) * rng.uniform(0.1, 0.5, (2, pairs))
    return math.log1p(true) + process[1] - process[0]


def comparison(
    rng: np.random.Generator, true: list[float], deviation: float = 0.03, outliers: float = 0.0, ends=(10, 20, 40)
) -> dict[str, str]:
    """The verdicts on a family of benchmarks, each slower by its entry of `true`."""
    ratios = {str(i): noisy_pairs(rng, share, ends[-1], deviation, outliers) for i, share in enumerate(true)}
    family = Family(dict.fromkeys(ratios, MARGIN), LEVEL, len(ends))
    for end in ends:
        family.look({name: paired(values[:end]) for name, values in ratios.items() if name not in family.words})
    return {name: family.words.get(name, "inconclusive") for name in ratios}


def test_a_trimmed_mean_by_hand():
    """The values are 0 to 8 and 100. Without the smallest and the largest: 1 to 8. Winsorized: (1, 1..8, 8)."""
    found = paired([100, 0, 1, 2, 3, 4, 5, 6, 7, 8])
    squares = 2 * 3.5**2 + 2 * (3.5**2 + 2.5**2 + 1.5**2 + 0.5**2)
    assert (found.n, found.mean, found.freedom) == (10, 4.5, 7)
    assert found.error == pytest.approx(math.sqrt(squares / (8 * 7)))


@pytest.mark.parametrize("n", [2, 3, 9])
def test_few_pairs_have_the_plain_t_interval(n):
    values = np.random.default_rng(n).normal(0.02, 0.05, n)
    test = stats.ttest_1samp(values, 0.03, alternative="greater")
    assert paired(values).p_slower(0.03) == pytest.approx(test.pvalue)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert paired(values).interval(0.05) == pytest.approx(tuple(expected))


def test_trimmed_pairs_against_scipy():
    """scipy has the trimmed test for two samples only: here two with the same spread, one of them shifted."""
    a = np.random.default_rng(3).normal(0.0, 0.05, 20)
    b = np.random.default_rng(4).normal(0.1, 0.02, 30)
    test = stats.ttest_ind(b, a, equal_var=False, trim=0.1, alternative="greater")
    found = unpaired(a, b)
    assert found.p_slower(0.0) == pytest.approx(test.pvalue)
    assert (found.n, found.freedom) == (20, pytest.approx(test.df))


def test_too_few_values_decide_nothing():
    for found in (paired([0.5]), unpaired([0.0], [0.5]), unpaired([0.0, 0.1], [0.5])):
        assert found.p_slower(0.03) == 1 and found.interval(0.05) == (-math.inf, math.inf)
        family = Family({"a": MARGIN}, LEVEL, 1)
        family.look({"a": found})
        assert family.words == {}


def test_values_without_spread_are_taken_at_their_word():
    assert paired([0.1, 0.1, 0.1]).p_slower(0.03) == 0
    assert paired([0.01, 0.01]).p_slower(0.03) == 1
    assert unpaired([0.0, 0.0], [0.1, 0.1]).interval(0.01) == pytest.approx((0.1, 0.1))


def test_the_margin_is_a_share_of_the_time_and_ratios_are_logs():
    for log_ratio, word in ((math.log(1.5) + 0.01, "slower"), (math.log(1.5) - 0.01, "not slower")):
        family = Family({"a": 0.5}, LEVEL, 1)
        family.look({"a": paired([log_ratio] * 3)})
        assert family.words == {"a": word}


def test_looks_double_up_to_the_cap():
    assert looks(10, 40) == [10, 20, 40]
    assert looks(10, 50) == [10, 20, 40, 50]
    assert looks(4, 4) == [4]


def test_holm_by_hand():
    p_values = {"a": 0.010, "b": 0.040, "c": 0.030, "d": 0.005}
    assert holm(p_values, 0.05) == {"a", "d"}  # 0.005 < 0.05/4, 0.010 < 0.05/3, 0.030 > 0.05/2
    assert holm(p_values | {"c": 0.02}, 0.05) == {"a", "b", "c", "d"}
    assert holm({"a": 0.02, "b": 0.9, "c": 0.9}, 0.05) == set()  # 0.05/3
    assert holm({}, 0.05) == set()


def test_a_verdict_stands_and_those_found_slower_make_way():
    """By hand, with normal quantiles: p of b is 0.03, so it is rejected at 0.05 only once a is."""
    family = Family({"a": MARGIN, "b": MARGIN}, LEVEL, 1)
    a = Difference(10, math.log1p(MARGIN) + 3.0, 1.0, math.inf)
    b = Difference(10, math.log1p(MARGIN) - float(stats.norm.ppf(0.03)), 1.0, math.inf)
    family.look({"b": b})
    assert family.words == {}
    family.look({"a": a, "b": b})
    assert family.words == {"a": "slower", "b": "slower"}
    family.look({"a": Difference(10, -1.0, 0.01, 9)})
    assert family.words["a"] == "slower"


@pytest.mark.parametrize(("p", "number", "word"), [(0.04, 1, "slower"), (0.04, 3, None), (0.016, 3, "slower")])
def test_the_level_is_shared_by_the_looks(p, number, word):
    for mean, expected in ((-1, word), (1, "not slower" if word else None)):
        family = Family({"a": MARGIN}, LEVEL, number)
        family.look({"a": Difference(10, math.log1p(MARGIN) + mean * float(stats.norm.ppf(p)), 1.0, math.inf)})
        assert family.words.get("a") == expected


@pytest.mark.parametrize(
    ("deviation", "outliers"), [(0.02, 0.0), (0.03, 0.05), (0.05, 0.15)], ids=["calm", "outliers", "rough"]
)
def test_false_alarms_of_a_family_keep_to_the_level(deviation, outliers):
    """The worst case: 20 benchmarks, each slower by exactly its margin, looked at three times; 400 times (s.e. 1.1%).

    Of 2000 such families of the calm kind, 5.1% had an alarm (s.e. 0.5%); of the others 2.4% and 0.8%.
    """
    rng = np.random.default_rng(1)
    alarms = sum("slower" in comparison(rng, [MARGIN] * 20, deviation, outliers).values() for _ in range(400))
    assert alarms / 400 <= LEVEL + 0.02


def test_the_level_is_used_up_but_for_the_looks():
    """One benchmark at its margin: if false alarms were much rarer than the level, power would be lost."""
    rng = np.random.default_rng(2)
    words = [comparison(rng, [MARGIN])["0"] for _ in range(3000)]
    assert 0.025 < words.count("slower") / 3000 <= LEVEL + 0.008
    assert 0.025 < words.count("not slower") / 3000 <= LEVEL + 0.008  # and as often it passes as not slower


def test_nothing_changed_is_never_an_alarm_and_mostly_not_slower():
    """20 benchmarks, 100 comparisons, 3% noise with an outlier in ten pairs: not one alarm in 2000 verdicts."""
    rng = np.random.default_rng(3)
    words = [word for _ in range(100) for word in comparison(rng, [0.0] * 20, 0.03, 0.05).values()]
    assert words.count("slower") == 0
    assert words.count("not slower") > 0.97 * len(words)


@pytest.mark.parametrize(("deviation", "outliers"), [(0.02, 0.05), (0.03, 0.05), (0.05, 0.0)])
def test_a_slowdown_of_ten_percent_is_found(deviation, outliers):
    """One benchmark of 20 is slower; its p value is corrected for all. In 500 simulations 98.8% or more found it."""
    rng = np.random.default_rng(4)
    words = [comparison(rng, [0.10] + [0.0] * 19, deviation, outliers)["0"] for _ in range(100)]
    assert words.count("slower") / 100 >= 0.95
    assert "not slower" not in words


def test_an_outlier_in_ten_pairs_does_not_hide_a_slowdown():
    """Why the mean is trimmed: the plain mean of these could not be told from the margin."""
    ratios = [0.1 + 0.01 * (-1) ** i for i in range(9)] + [-0.6]
    plain = stats.ttest_1samp(ratios, math.log1p(MARGIN), alternative="greater").pvalue
    assert plain > 0.2 and paired(ratios).p_slower(math.log1p(MARGIN)) < 0.001


def test_too_much_noise_is_inconclusive():
    rng = np.random.default_rng(5)
    words = list(itertools.chain(*(comparison(rng, [0.0] * 10, 0.3).values() for _ in range(20))))
    assert words.count("inconclusive") > 0.85 * len(words) and words.count("slower") <= 2


def test_the_exit_code_is_that_of_the_gravest_verdict():
    for words in itertools.product(EXIT_CODES, repeat=3):
        codes = {EXIT_CODES[word] for word in words}
        assert exit_code(words) == next(code for code in (1, 3, 2, 0) if code in codes)
    assert EXIT_CODES == {"slower": 1, "not comparable": 3, "inconclusive": 2, "not slower": 0}
