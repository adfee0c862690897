"""Claims about the replicas of a run whose p_update lies in a bin."""

import math

import numpy as np
import pytest

from impls.errors import UserError
from paper_figures.artifacts import claims
from paper_figures.claims.matching import Bin, bin_of
from tests.support.judged_claims import judged, row
from tests.support.runs_on_disk import edit_record, write_run

P_UPDATE = [0.0, 0.029, 0.03, 0.045, 0.0599, 0.06, 0.95, 1.0]


def write_unlock(results, **changes):
    """Sparse updates whose replica i ends at 2 + i / 100 percent; `changes` as of `write_run`."""
    settings = {
        "seeds": tuple(range(10, 10 + len(P_UPDATE))),
        "final": [2 + i / 100 for i in range(len(P_UPDATE))],
        "replica_settings": {"p_update": P_UPDATE},
        "cell": {"unlock": "sparse"},
    }
    return write_run(results, experiment="unlock", **{**settings, **changes})


def in_bin(results, ends, iteration=500_000, artifact="fig_sparse_updates"):
    return row(judged(results), claim=f"{artifact}/mnist/fcn/4/dni/{ends}/{iteration}")


@pytest.mark.parametrize(
    ("ends", "members"), [("0.00-0.03", [0, 1]), ("0.03-0.06", [2, 3, 4]), ("0.06-0.10", [5]), ("0.90-1.00", [6, 7])]
)
def test_a_bin_holds_its_lower_end_and_no_upper_one_but_1(tmp_path, ends, members):
    write_unlock(tmp_path)
    found = in_bin(tmp_path, ends)
    assert found["n"] == len(members)
    assert found["ours"] == pytest.approx(np.mean([2 + i / 100 for i in members]))


def test_a_bin_without_a_replica_is_missing_and_says_why(tmp_path):
    write_unlock(tmp_path)
    found = in_bin(tmp_path, "0.50-0.60")
    assert (found["verdict"], found["n"]) == ("missing", 0) and math.isnan(found["ours_iteration"])
    assert found["why"] == "none of the 8 replicas has p_update in 0.50-0.60" and found["run"]
    other = in_bin(tmp_path, "0.50-0.60", artifact="fig_complete_unlock")
    assert other["verdict"] == "missing" and other["why"].startswith("no run of this cell")


def test_a_bin_is_judged_by_its_own_replicas(tmp_path):
    write_unlock(tmp_path, final=[90, 90, 3.38, 3.4, 3.42, 90, 90, 90], diverged=1)
    assert in_bin(tmp_path, "0.03-0.06")["verdict"] == "reproduced"
    first = in_bin(tmp_path, "0.00-0.03")
    assert (first["verdict"], first["n_diverged"]) == ("differs (worse)", 1)
    write_unlock(tmp_path / "short", iterations=25_000, evaluate_every=1000)
    found = in_bin(tmp_path / "short", "0.03-0.06")
    assert (found["verdict"], found["why"], found["n"]) == ("not comparable", "25000 of 500000 iterations", 3)


def test_bins_of_a_claim():
    assert bin_of("") is None
    assert bin_of("p_update 0.90-1.00") == Bin("p_update", 0.9, 1.0)
    assert not Bin("p_update", 0.8, 0.9).holds(0.9)


def test_replica_settings_must_be_there_and_whole(tmp_path):
    run = write_unlock(tmp_path)
    edit_record(run, replica_settings={"p_update": P_UPDATE[:-1]})
    with pytest.raises(UserError, match=r"replica_settings\.p_update has 7 values for 8 seeds"):
        claims.make(tmp_path)
    edit_record(run, replica_settings=None)
    with pytest.raises(UserError, match="does not contain the p_update of each replica"):
        claims.make(tmp_path)
