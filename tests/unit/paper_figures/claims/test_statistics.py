"""The rules of verdicts: by example, at their edges, and in simulations of what they get wrong."""

import math

import numpy as np
import pytest

from paper_figures.claims import simulation
from paper_figures.claims.estimates import LEVEL, mean_of
from paper_figures.claims.statistics import AT_LEAST, AT_MOST, FEWEST, VERDICTS, WIDEST, verdict


def judged(values, published, margin, comparable=True, **settings):
    return verdict(mean_of(values), published, margin, comparable, **settings)


def test_reproduced_is_rarely_said_of_a_mean_on_the_margin():
    rng = np.random.default_rng(2)
    words = [judged(values, 2.0, 0.3).word for values in rng.normal(2.3, 0.1, (3000, 3))]
    assert 0.03 < words.count("reproduced") / len(words) < LEVEL + 0.012


@pytest.mark.parametrize("n", [3, 10, 30])
def test_differs_is_rarely_said_of_a_draw_from_our_own_distribution(n):
    """Even where runs spread more than the margin and n is large, because of the order of verdicts."""
    rng = np.random.default_rng(3)
    draws = rng.normal(5.0, 1.0, (2000, n + 1))
    words = [judged(values, published, 0.3).word for *values, published in draws]
    assert sum(word.startswith("differs") for word in words) / len(words) < LEVEL + 0.012


OLD_RULE = {(1.5, 2): 0.84, (1.5, 3): 0.66, (1.5, 5): 0.37, (2.0, 2): 0.75, (2.0, 3): 0.38, (2.0, 5): 0.05}


@pytest.mark.parametrize(("truth", "n"), OLD_RULE)
def test_a_wrong_consistent_is_rare(truth, n):
    """Where our runs' true mean is 1.5 or 2 times the paper's number, which is four margins or more from it."""
    found = simulation.shares(truth, n, draws=4000)
    assert found["consistent"] + found["reproduced"] <= 0.001
    assert found[simulation.OLD] == pytest.approx(OLD_RULE[truth, n], abs=0.03)
    assert sum(found[word] for word in ("reproduced", "consistent", "inconclusive", "differs")) == pytest.approx(1)


def test_a_true_number_is_often_confirmed_and_hardly_ever_denied():
    found = simulation.shares(1.0, 5, draws=4000)
    assert found["reproduced"] + found["consistent"] > 0.6 and found["differs"] <= 0.001


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([2.1, 2.2, 2.3], "reproduced"),
        ([2.3, 2.42, 2.55, 2.48], "consistent"),
        ([1.9, 2.2, 2.8], "inconclusive"),  # the prediction interval is much wider than two margins
        ([2.15, 2.25], "inconclusive"),  # too few
        ([3.0, 3.05, 3.1], "differs (worse)"),
        ([1.2, 1.25, 1.3], "differs (better)"),
        ([2.40, 2.44, 2.48], "inconclusive"),  # the interval of the mean crosses 2.5, the prediction excludes 2.2
        ([2.2], "inconclusive"),
        ([9.9], "inconclusive"),
        ([2.2, 2.2, 2.2], "inconclusive"),  # no spread, and no resolution that would explain it
        ([9.9, 9.9, 9.9], "inconclusive"),
        ([], "missing"),
        ([2.2, 2.2, math.nan], "differs (worse)"),
        ([1.0, 1.0, math.inf], "differs (worse)"),
        ([math.nan], "differs (worse)"),
    ],
)
def test_verdicts(values, word):
    result = judged(values, 2.2, 0.3)
    assert result.word == word and result.why
    assert word.split(" (")[0] in VERDICTS
    expected = "not comparable" if values else "missing"
    assert judged(values, 2.2, 0.3, comparable=False).word == expected


def test_consistent_needs_three_replicas_and_a_narrow_prediction():
    """The replicas 7 and 9, of a mean 8: s = sqrt(2), t(0.975; 1) = 12.7062, half = 12.7062 x sqrt(2) x sqrt(1.5)."""
    half = 12.7062 * math.sqrt(3)
    result = judged([7.0, 9.0], 4.2, 0.55)
    assert result.why == f"prediction interval ±{half:.3g} is {half / 0.55:.2g} margins wide"
    assert (result.word, result.resolves) == ("inconclusive", pytest.approx(half / 0.55, rel=1e-4))
    assert (result.prediction_low, result.prediction_high) == pytest.approx((8 - half, 8 + half), rel=1e-4)
    two = judged([2.0, 2.1], 2.5, 0.6)
    assert (two.word, two.why) == ("inconclusive", f"2 replicas: 'consistent' needs {FEWEST}")
    assert two.resolves < WIDEST
    three = [2.0, 2.1, 2.2]  # half = 4.302653 x 0.1 x sqrt(4 / 3) = 0.496828
    half = 0.496828
    for margin, word in ((half / WIDEST * 1.001, "consistent"), (half / WIDEST * 0.999, "inconclusive")):
        result = judged(three, 2.4, margin)
        assert (result.word, result.resolves) == (word, pytest.approx(half / margin, rel=1e-5))


def test_a_number_that_only_its_reading_error_makes_consistent_is_said_to_be_one():
    """Three replicas, whose prediction interval is 1.603 to 2.597."""
    three = [2.0, 2.1, 2.2]
    within, beyond = judged(three, 2.5, 0.45), judged(three, 2.62, 0.45, reading_error=0.1)
    assert (within.word, within.why) == ("consistent", "2.5 lies in the 95% prediction interval 1.603 to 2.597")
    assert beyond.word == "consistent"
    assert beyond.why == "2.62 ± 0.1, its reading error, reaches into the 95% prediction interval 1.603 to 2.597"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([8, 8], "inconclusive"),
        ([8, 8, 8], "reproduced"),
        ([7, 7], "inconclusive"),
        ([7, 7, 7], "inconclusive"),
        ([7] * 4, "consistent"),  # an eighth step could be one of our next results, which are rounded to steps
        ([7] * 20, "consistent"),
        ([6, 6], "inconclusive"),
        ([6, 6, 6], "inconclusive"),
        ([6] * 4, "differs (worse)"),
        ([10] * 4, "differs (better)"),
    ],
)
def test_equal_results_on_a_ladder_prove_little(values, word):
    """In steps of 1, with a margin of one step about 8: one step away is never reproduced."""
    settings = {"reading_error": 0.5, "resolution": 1.0, "lower_is_better": False}
    assert judged(values, 8, 1.0, **settings).word == word


@pytest.mark.parametrize(("n", "word"), [(2, "inconclusive"), (3, "inconclusive"), (5, "reproduced")])
def test_equal_results_within_a_bound_prove_little(n, word):
    """Half a step within it, as equal curriculum steps further than BPTT are."""
    for direction, bound in ((AT_MOST, 1.5), (AT_LEAST, 0.5)):
        assert judged([1] * n, bound, 0, resolution=1.0, direction=direction).word == word


def test_the_resolution_is_that_of_the_papers_number_or_of_ours():
    """Three equal results on the number, margin 0.3: p = 0.0257 for a resolution of 0.3, more for a coarser one."""
    for settings in ({"resolution": 0.3}, {"reading_error": 0.15}, {"resolution": 0.3, "reading_error": 0.01}):
        assert judged([2.0] * 3, 2.0, 0.3, **settings).p_equivalence == pytest.approx(0.0257, abs=5e-5)
    assert judged([2.0] * 3, 2.0, 0.3, resolution=0.3, reading_error=0.3).word == "inconclusive"


def test_a_diverged_replica_decides():
    estimate = mean_of([2.0, 2.2, math.nan])
    assert (estimate.n, estimate.n_diverged, estimate.mean) == (2, 1, pytest.approx(2.1))
    result = verdict(estimate, 2.2, 0.3, True)
    assert (result.word, result.why) == ("differs (worse)", "1 of 3 replicas diverged")


def test_side_follows_the_metric():
    values = [3.0, 3.01, 3.02]
    assert judged(values, 1.0, 0.1).word == "differs (worse)"
    assert judged(values, 1.0, 0.1, lower_is_better=False).word == "differs (better)"
    assert judged(values, 1.0, 0.1, lower_is_better=None).word == "differs (higher)"
    assert judged(values, 5.0, 0.1, lower_is_better=None).word == "differs (lower)"


def test_reading_error_widens_what_is_consistent():
    values = [2.40, 2.44, 2.48]  # predicts 2.24 to 2.64
    assert judged(values, 2.2, 0.3, reading_error=0.05).word == "consistent"


@pytest.mark.parametrize(("published", "margin"), [(2.2, 0.0), (2.2, -1.0), (math.nan, 0.3), (2.2, math.nan)])
def test_a_margin_is_needed(published, margin):
    with pytest.raises(ValueError, match="margin > 0"):
        judged([2.2, 2.3], published, margin)


def test_values_without_a_published_number_have_an_estimate():
    found = mean_of([1.0, 2.0, 3.0, 4.0, 5.0, math.nan])
    assert (found.n, found.n_diverged, found.mean) == (5, 1, 3)
    assert found.interval() == mean_of([1.0, 2.0, 3.0, 4.0, 5.0]).interval()
    assert math.isnan(mean_of([]).mean)
