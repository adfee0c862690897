"""Verdicts on a published number that is a bound, not a value.

The one-sided 95% bounds of the mean of 0.1, 0.2 and 0.3 are 0.2 -+ t(0.95; 2) x 0.1 / sqrt(3), which is
0.2 -+ 2.919986 x 0.057735.
"""

import math

import numpy as np
import pytest
from scipy import stats

from paper_figures.claims.estimates import mean_of
from paper_figures.claims.statistics import AT_LEAST, AT_MOST, TWO_SIDED, verdict


def judged(values, bound, comparable=True, **settings):
    return verdict(mean_of(values), bound, 0, comparable, **settings)


@pytest.mark.parametrize(
    ("values", "bound", "word"),
    [
        ([0.1, 0.2, 0.3], 0.369, "reproduced"),
        ([0.1, 0.2, 0.3], 0.368, "inconclusive"),  # just below the one-sided upper bound 0.3686
        ([0.1, 0.2, 0.3], 0.032, "inconclusive"),
        ([0.1, 0.2, 0.3], 0.031, "differs (worse)"),
        ([0.1, 0.2, 0.3], 5.0, "reproduced"),  # it does not matter how far below
        ([0.2, 0.2], 0.2, "inconclusive"),  # on the bound
        ([0.2, 0.2], 0.25, "reproduced"),
        ([0.3, 0.3], 0.2, "differs (worse)"),
        ([0.1], 0.5, "inconclusive"),
        ([0.1, 0.2, math.inf], 0.5, "differs (worse)"),
        ([], 0.5, "missing"),
    ],
)
@pytest.mark.parametrize("lower_is_better", [True, False])
def test_verdicts_on_a_bound(values, bound, word, lower_is_better):
    settings = {
        "direction": AT_MOST,
        "lower_is_better": lower_is_better,
        "failure": "never reached it",
        "resolution": 0.01,
    }
    result = judged(values, bound, **settings)
    assert result.word == word and result.why
    if math.inf in values:
        assert result.why == "1 of 3 replicas never reached it"
    not_comparable = judged(values, bound, False, direction=AT_MOST).word
    assert not_comparable == ("not comparable" if values else "missing")
    # AT_LEAST is the mirror image.
    mirrored = judged([-value for value in values], -bound, **(settings | {"direction": AT_LEAST}))
    assert mirrored.word == word
    assert mirrored.p_equivalence == pytest.approx(result.p_equivalence, nan_ok=True)


def test_a_bound_is_tested_on_one_side():
    values = [0.1, 0.2, 0.3]
    result = judged(values, 0.4, direction=AT_MOST)
    assert result.p_equivalence == mean_of(values).p_below(0.4)
    assert result.p_equivalence == pytest.approx(stats.ttest_1samp(values, 0.4, alternative="less").pvalue)
    assert math.isnan(result.resolves)
    assert (
        result.why == f"the one-sided 95% upper bound 0.3686 of the mean is at most 0.4: p = {result.p_equivalence:.2g}"
    )
    assert math.isnan(mean_of([0.1]).p_below(0.4))
    result = judged(values, 0.031, direction=AT_LEAST)
    assert (
        result.why
        == f"the one-sided 95% lower bound 0.03141 of the mean is at least 0.031: p = {result.p_equivalence:.2g}"
    )
    assert result.p_equivalence == pytest.approx(stats.ttest_1samp(values, 0.031, alternative="greater").pvalue)
    failed = judged(values, 0.369, direction=AT_LEAST)
    assert failed.why == "the one-sided 95% upper bound 0.3686 of the mean is below 0.369"


def test_a_bound_that_is_the_mean_is_reproduced_in_one_of_twenty():
    rng = np.random.default_rng(4)
    words = [judged(values, 0.5, direction=AT_MOST).word for values in rng.normal(0.5, 0.1, (3000, 3))]
    for word in ("reproduced", "differs (worse)"):
        assert words.count(word) / len(words) == pytest.approx(0.05, abs=0.012)


@pytest.mark.parametrize(
    ("margin", "direction", "words"),
    [(0.1, AT_MOST, "margin 0 beside a bound"), (0, TWO_SIDED, "margin > 0"), (0, "about", "not 'about'")],
)
def test_a_bound_has_no_margin_and_every_direction_is_known(margin, direction, words):
    with pytest.raises(ValueError, match=words):
        verdict(mean_of([1.0, 1.1]), 1.0, margin, True, direction=direction)
