"""Findings about trends over p_update, and about replicas that are paired by seed."""

import numpy as np
import pytest
from scipy import stats

from paper_figures.claims.matching import bin_of, read_claims
from tests.support.judged_claims import finding
from tests.support.runs_on_disk import write_run

P_UPDATE = [0.01, 0.05, 0.15, 0.22, 0.4, 0.6, 0.8, 1.0]


def write_unlock(results, final, unlock="sparse", method="cdni", **changes):
    settings = {"seeds": tuple(range(8)), "replica_settings": {"p_update": P_UPDATE}, "cell": {"unlock": unlock}}
    write_run(results, method=method, experiment="unlock", final=final, **{**settings, **changes})


EARLY = "cdni_slower_with_sparse_updates/mnist/fcn/4"
LATE = "cdni_worse_with_p_update/mnist/fcn/4"


def powers(power, noise=0.003):
    rng = np.random.default_rng(5)
    return [2.4 * p**power * np.exp(rng.normal(0, noise)) for p in P_UPDATE]


def test_the_exponent_is_that_of_the_replicas_within_the_range(tmp_path):
    """The first replica is outside it: at p_update = 0.01 it hardly trains."""
    errors = [90.0, *powers(0.06)[1:]]
    write_unlock(tmp_path, errors)
    found = finding(tmp_path, LATE)
    assert found["ours"] == pytest.approx(stats.linregress(np.log(P_UPDATE[1:]), np.log(errors[1:])).slope, rel=1e-5)
    assert (found["n"], found["verdict"]) == (7, "reproduced")


@pytest.mark.parametrize(
    ("name", "power", "verdict"),
    [
        (EARLY, -0.35, "reproduced"),
        (EARLY, -0.64, "differs (lower)"),  # too steep, as with twice the power
        (EARLY, 0.0, "differs (higher)"),
        (LATE, 0.06, "reproduced"),
        (LATE, 0.0, "differs (lower)"),
        (LATE, 0.5, "differs (higher)"),
    ],
)
def test_a_trend_has_two_sides(tmp_path, name, power, verdict):
    """A trend in the right direction that is far too strong is no success."""
    errors = powers(power)
    write_unlock(tmp_path, errors, metrics={("test", "error"): lambda replica, _: errors[replica]})
    assert finding(tmp_path, name)["verdict"] == verdict


@pytest.mark.parametrize(("name", "iteration", "least"), [(EARLY, 5_000, 0.06), (LATE, 500_000, 0.03)])
def test_the_papers_exponent_is_that_of_its_own_medians(name, iteration, least):
    """Through the centres of the bins from `least` on."""
    claims = read_claims()
    medians = claims[(claims["artifact"] == "fig_sparse_updates") & (claims["method"] == "cdni")]
    medians = medians[medians["iteration"] == iteration]
    bins = [bin_of(replicas) for replicas in medians["replicas"]]
    points = [((one.low + one.high) / 2, value) for one, value in zip(bins, medians["value"], strict=True)]
    points = np.log([point for point, one in zip(points, bins, strict=True) if one.low >= least])
    (claim,) = claims[claims["id"] == f"finding/{name}"].to_dict("records")
    assert claim["value"] == pytest.approx(stats.linregress(*points.T).slope, abs=0.006)


def test_an_exponent_without_a_diverged_replica_counts_it(tmp_path):
    write_unlock(tmp_path, powers(0.06), diverged=2)  # the first is out of the range
    found = finding(tmp_path, LATE)
    assert (found["n"], found["n_diverged"], found["verdict"]) == (6, 1, "differs (worse)")
    write_unlock(tmp_path / "few", [2.0] * 8, diverged=6)
    found = finding(tmp_path / "few", LATE)
    assert (found["verdict"], found["why"]) == ("differs (worse)", "5 of 7 replicas diverged")


def test_a_range_of_replicas_is_paired_with_its_seeds_of_the_other_run(tmp_path):
    """From p_update = 0.2 on, where complete unlock is worse by 0.1; below it is worse by 5."""
    sparse = [3.0, 2.5, 2.3, 2.2, 2.1, 2.2, 2.2, 2.3]
    complete = [error + (5 if p < 0.2 else 0.1) for error, p in zip(sparse, P_UPDATE, strict=True)]
    write_unlock(tmp_path, sparse, method="dni")
    write_unlock(tmp_path, complete, "complete", "dni")
    found = finding(tmp_path, "complete_unlock_as_good_as_sparse/mnist/fcn/4/dni")
    assert (found["ours"], found["n"], found["verdict"]) == (pytest.approx(0.1), 5, "reproduced")


def test_dni_at_a_fifth_is_read_off_a_curve_through_all_replicas(tmp_path):
    """The mean of the replicas nearby, 0.15 and 0.22, would be 2.25."""
    errors = [2 * p**-0.2 for p in P_UPDATE]
    write_unlock(tmp_path, errors, method="dni")
    found = finding(tmp_path, "dni_trains_at_a_fifth/mnist/fcn/4")
    assert (found["n"], found["ours"]) == (8, pytest.approx(2 * 0.2**-0.2, rel=1e-4))
