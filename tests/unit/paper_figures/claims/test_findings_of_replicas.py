"""Findings about slopes over p_update, and about replicas that are paired by seed."""

import numpy as np
import pytest
from scipy import stats

from tests.support.judged_claims import finding
from tests.support.runs_on_disk import write_run

P_UPDATE = [0.01, 0.05, 0.15, 0.22, 0.4, 0.6, 0.8, 1.0]


def write_unlock(results, final, unlock="sparse", method="cdni", **changes):
    settings = {"seeds": tuple(range(8)), "replica_settings": {"p_update": P_UPDATE}, "cell": {"unlock": unlock}}
    write_run(results, method=method, experiment="unlock", final=final, **{**settings, **changes})


SLOPE = "cdni_worse_with_p_update/mnist/fcn/4"


def test_the_slope_is_that_of_the_replicas_within_the_range(tmp_path):
    """The first replica is outside it: at p_update = 0.01 it hardly trains."""
    rng = np.random.default_rng(5)
    errors = [90.0, *(1.9 + 0.5 * p + rng.normal(0, 0.02) for p in P_UPDATE[1:])]
    write_unlock(tmp_path, errors)
    found = finding(tmp_path, SLOPE)
    assert found["ours"] == pytest.approx(stats.linregress(P_UPDATE[1:], errors[1:]).slope, rel=1e-5)
    assert (found["n"], found["verdict"]) == (7, "reproduced")
    write_unlock(tmp_path / "flat", [2.0 + rng.normal(0, 0.02) for _ in P_UPDATE])
    assert finding(tmp_path / "flat", SLOPE)["verdict"] == "differs (worse)"


def test_a_slope_without_a_diverged_replica_counts_it(tmp_path):
    write_unlock(tmp_path, [1.9 + 0.5 * p for p in P_UPDATE], diverged=2)  # the first is out of the range
    found = finding(tmp_path, SLOPE)
    assert (found["n"], found["n_diverged"], found["verdict"]) == (6, 1, "differs (worse)")
    assert found["ours"] == pytest.approx(0.5)
    write_unlock(tmp_path / "few", [2.0] * 8, diverged=6)
    found = finding(tmp_path / "few", SLOPE)
    assert (found["verdict"], found["why"]) == ("missing", "fewer than three replicas to draw a line through")


def test_a_range_of_replicas_is_paired_with_its_seeds_of_the_other_run(tmp_path):
    """From p_update = 0.2 on, where complete unlock is worse by 0.1; below it is worse by 5."""
    sparse = [3.0, 2.5, 2.3, 2.2, 2.1, 2.2, 2.2, 2.3]
    complete = [error + (5 if p < 0.2 else 0.1) for error, p in zip(sparse, P_UPDATE, strict=True)]
    write_unlock(tmp_path, sparse, method="dni")
    write_unlock(tmp_path, complete, "complete", "dni")
    found = finding(tmp_path, "complete_unlock_as_good_as_sparse/mnist/fcn/4/dni")
    assert (found["ours"], found["n"], found["verdict"]) == (pytest.approx(0.1), 5, "reproduced")
    assert finding(tmp_path, "dni_trains_at_a_fifth/mnist/fcn/4")["ours"] == pytest.approx(2.25)
