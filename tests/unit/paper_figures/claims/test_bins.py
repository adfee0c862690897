"""Claims about the replicas of a run whose p_update lies in a bin."""

import math

import numpy as np
import pytest
import statsmodels.api

from impls.errors import UserError
from paper_figures.artifacts import claims
from paper_figures.claims.matching import Bin, bin_of
from tests.support.judged_claims import judged, row
from tests.support.runs_on_disk import edit_record, write_run

P_UPDATE = [0.01, 0.02, 0.05, 0.08, 0.12, 0.2, 0.35, 0.6, 0.95]
FEW = P_UPDATE[2:-1]


def error(p_update):
    """In percent: a cubic of the logarithms, so the fitted curve goes through all of it."""
    return 2 * p_update**-0.3


def write_unlock(results, p_update=P_UPDATE, **changes):
    """Sparse updates of DNI that end at `error`; `changes` as of `write_run`."""
    settings = {
        "seeds": tuple(range(10, 10 + len(p_update))),
        "final": [error(p) for p in p_update],
        "replica_settings": {"p_update": p_update},
        "cell": {"unlock": "sparse"},
    }
    return write_run(results, experiment="unlock", **{**settings, **changes})


def in_bin(results, ends, iteration=500_000, artifact="fig_sparse_updates"):
    return row(judged(results), claim=f"{artifact}/mnist/fcn/4/dni/{ends}/{iteration}")


@pytest.mark.parametrize(("ends", "centre"), [("0.00-0.03", 0.015), ("0.03-0.06", 0.045), ("0.50-0.60", 0.55)])
def test_a_bin_is_judged_by_the_curve_at_its_centre(tmp_path, ends, centre):
    """Whether a replica lies in it or not: none is in 0.50-0.60."""
    write_unlock(tmp_path)
    found = in_bin(tmp_path, ends)
    assert (found["ours"], found["n"]) == (pytest.approx(error(centre), rel=1e-5), len(P_UPDATE))
    assert found["ours_iteration"] == 500_000


def test_the_curve_is_a_fit_with_the_scatter_of_the_replicas(tmp_path):
    """Against statsmodels: the value, its interval and the prediction at 0.125."""
    scatter = np.random.default_rng(3).normal(0, 0.05, len(P_UPDATE))
    errors = [error(p) * math.exp(noise) for p, noise in zip(P_UPDATE, scatter, strict=True)]
    write_unlock(tmp_path, final=errors)
    found = in_bin(tmp_path, "0.10-0.15")
    powers = np.vander(np.log([*P_UPDATE, 0.125]), 4)
    expected = statsmodels.api.OLS(np.log(errors), powers[:-1]).fit().get_prediction(powers[-1:])
    mean = math.exp(expected.predicted_mean[0])
    assert found["ours"] == pytest.approx(mean, rel=1e-5)
    half = np.ptp(expected.conf_int(obs=False)) / 2
    assert (found["low"], found["high"]) == pytest.approx((mean * (1 - half), mean * (1 + half)), rel=1e-5)
    half = np.ptp(expected.conf_int(obs=True)) / 2
    assert found["resolves"] == pytest.approx(mean * half / found["margin"], rel=1e-5)


@pytest.mark.parametrize(("ends", "n_diverged"), [("0.00-0.03", 2), ("0.03-0.06", 0)])
def test_a_diverged_replica_counts_in_its_own_bin(tmp_path, ends, n_diverged):
    p_update = [0.005, *P_UPDATE, 0.0249]
    write_unlock(tmp_path, p_update, diverged=1, final=[*(error(p) for p in p_update[:-1]), math.nan])
    found = in_bin(tmp_path, ends)
    assert (found["n"], found["n_diverged"]) == (len(P_UPDATE), n_diverged)
    assert ("replicas diverged" in found["why"]) == bool(n_diverged)


def test_divergence_is_not_missing(tmp_path):
    """Where all replicas of a bin diverged, and the curve of the others does not come so far."""
    write_unlock(tmp_path, diverged=2)  # 0.01 and 0.02
    found = in_bin(tmp_path, "0.00-0.03")
    assert (found["verdict"], found["why"], found["n"]) == ("differs (worse)", "2 of 9 replicas diverged", 7)
    write_unlock(tmp_path / "most", diverged=5)
    assert in_bin(tmp_path / "most", "0.10-0.15")["verdict"] == "differs (worse)"


def test_a_curve_says_nothing_beyond_its_replicas(tmp_path):
    write_unlock(tmp_path, [*FEW, 0.7])
    found = in_bin(tmp_path, "0.00-0.03")
    why = "the bin's centre 0.015 is outside the p_update of our replicas, 0.05 to 0.7"
    assert (found["verdict"], found["n"], found["why"]) == ("missing", 0, why) and found["run"]
    assert math.isnan(found["ours_iteration"]) and in_bin(tmp_path, "0.06-0.10")["n"] == 7
    write_unlock(tmp_path / "few", FEW)
    found = in_bin(tmp_path / "few", "0.06-0.10")
    assert (found["verdict"], found["why"]) == ("missing", "6 replicas: a curve through them needs 7")
    other = in_bin(tmp_path, "0.50-0.60", artifact="fig_complete_unlock")
    assert other["verdict"] == "missing" and other["why"].startswith("no run of this cell")


def test_a_shortened_run_shows_its_last_value(tmp_path):
    write_unlock(tmp_path, iterations=25_000, evaluate_every=1000)
    found = in_bin(tmp_path, "0.03-0.06")
    assert (found["verdict"], found["why"], found["n"]) == ("not comparable", "25000 of 500000 iterations", 9)
    assert found["ours"] == pytest.approx(error(0.045), rel=1e-5)


def test_a_bin_holds_its_lower_end_and_no_upper_one_but_1():
    for ends, members in (("0.00-0.03", [0.0, 0.029]), ("0.03-0.06", [0.03, 0.0599]), ("0.90-1.00", [0.95, 1.0])):
        chosen = bin_of(f"p_update {ends}")
        assert [p for p in (0.0, 0.029, 0.03, 0.0599, 0.06, 0.95, 1.0) if chosen.holds(p)] == members


def test_bins_of_a_claim():
    assert bin_of("") is None
    assert bin_of("p_update 0.90-1.00") == Bin("p_update", 0.9, 1.0)
    assert not Bin("p_update", 0.8, 0.9).holds(0.9)


def test_replica_settings_must_be_there_and_whole(tmp_path):
    run = write_unlock(tmp_path)
    edit_record(run, replica_settings={"p_update": P_UPDATE[:-1]})
    with pytest.raises(UserError, match=r"replica_settings\.p_update has 8 values for 9 seeds"):
        claims.make(tmp_path)
    edit_record(run, replica_settings=None)
    with pytest.raises(UserError, match="does not contain the p_update of each replica"):
        claims.make(tmp_path)
