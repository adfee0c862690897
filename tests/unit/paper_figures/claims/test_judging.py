"""Which run a claim is judged by, at which iteration, and when it must not be compared."""

import math
from dataclasses import replace

import pytest
from pandas.testing import assert_frame_equal

from impls.errors import UserError
from paper_figures.artifacts import table_feedforward
from paper_figures.claims import matching
from paper_figures.claims.judging import judge, judged_claims
from paper_figures.claims.matching import experiments_of, read_claims
from paper_figures.claims.measures import MEASURES
from paper_figures.runs import read_runs
from tests.support.judged_claims import judged, row
from tests.support.runs_on_disk import EQUAL, write_run


def test_changing_a_published_number_changes_the_verdict(tmp_path, monkeypatch):
    write_run(tmp_path, final=EQUAL)
    assert row(judged(tmp_path))["verdict"] == "reproduced"
    table = read_claims()
    table.loc[table["id"] == "table_feedforward/mnist/fcn/4/dni", "value"] = 3.2
    table.to_csv(tmp_path / "changed.csv", index=False)
    monkeypatch.setattr(matching, "CLAIMS_FILE", tmp_path / "changed.csv")
    assert row(judged(tmp_path))["verdict"] == "differs (better)"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"source": "stand-in"}, "stand-in data"),
        ({"differs": ["hidden_units = 64 (paper: 256)"]}, "hidden_units = 64 (paper: 256)"),
        ({"choices": ["target_scale = batch_mean (default: example)"]}, "target_scale = batch_mean (default: example)"),
        ({"iterations": 2000}, "2000 of 500000 iterations"),
        ({"reached": 300_000}, "300000 of 500000 iterations"),
    ],
)
def test_other_conditions_are_never_reproduced(tmp_path, changes, why):
    write_run(tmp_path, final=EQUAL, **changes)
    table = judged(tmp_path)
    found = row(table)
    assert (found["verdict"], found["why"]) == ("not comparable", why)
    assert found["ours"] == pytest.approx(2.2) and found["n"] == 3
    assert found["ours_iteration"] == changes.get("reached", changes.get("iterations", 500_000))
    assert row(table, "jax")["verdict"] == "missing"
    # A run cut short is still comparable where it did get to.
    early = row(table, claim="fig_feedforward_curves/mnist/fcn/4/dni/290000")["verdict"]
    assert (early == "not comparable") == (changes != {"reached": 300_000})


@pytest.mark.parametrize(
    ("evaluate_every", "ours_iteration"),
    [(5000, 25_000), (24_900, 24_900), (6000, None), (24_740, None)],
)
def test_a_value_is_taken_at_the_claims_iteration_or_within_a_hundredth(tmp_path, evaluate_every, ours_iteration):
    write_run(tmp_path, evaluate_every=evaluate_every)
    found = row(judged(tmp_path), claim="fig_feedforward_curves/mnist/fcn/4/dni/25000")
    if ours_iteration is None:
        assert found["verdict"] == "missing" and "not evaluated at iteration 25000" in found["why"]
        assert math.isnan(found["ours"])
    else:
        assert found["verdict"] not in ("missing", "not comparable")
        assert found["ours_iteration"] == ours_iteration


def test_a_run_that_stops_just_before_a_claim_has_not_passed_it(tmp_path):
    write_run(tmp_path, iterations=24_900, evaluate_every=100)
    found = row(judged(tmp_path), claim="fig_feedforward_curves/mnist/fcn/4/dni/25000")
    assert (found["verdict"], found["why"]) == ("not comparable", "24900 of 25000 iterations")


def test_a_diverged_replica_is_counted_and_shown(tmp_path):
    write_run(tmp_path, final=EQUAL, diverged=1)
    found = row(judged(tmp_path))
    assert (found["verdict"], found["n"], found["n_diverged"]) == ("differs (worse)", 2, 1)
    assert found["why"] == "1 of 3 replicas diverged"
    assert "(2; 1 diverged) differs (worse)" in table_feedforward.make(tmp_path)[".md"].decode()
    before = row(judged(tmp_path), claim="fig_feedforward_curves/mnist/fcn/4/dni/100000")
    assert (before["n"], before["n_diverged"]) == (3, 0)


def test_a_claim_is_judged_by_its_own_cell_alone(tmp_path):
    """Other data, another model, depth, method, cut or experiment have other numbers, which appear nowhere else."""
    write_run(tmp_path, final=EQUAL)
    others = [
        {"dataset": "cifar10"},
        {"model": "cnn"},
        {"depth": 21},
        {"method": "cdni"},
        {"experiment": "single_dni", "depth": 6, "cell": {"cut_after": 1}},
        {"experiment": "single_dni", "depth": 6, "cell": {"cut_after": 2}},
        {"experiment": "single_dni", "depth": 6, "cell": {"cut_after": 5}},
        {"experiment": "single_dni", "depth": 6, "method": "bprop", "cell": {"cut_after": 0}},
        {"experiment": "single_dni"},  # the cell of a claim about another experiment
        {"cell": {"cut_after": 1}},  # a field more than any claim of this experiment names
    ]
    for number, cell in enumerate(others):
        # Better than the first, so that a wrong choice would show.
        write_run(tmp_path, final=[2 - number / 10] * 3, **cell)
    table = judged(tmp_path)
    found = table[(table["ours_iteration"] == 500_000) & ~table["artifact"].isin(["fig_feedforward_curves", "claims"])]
    assert dict(zip(found["id"], found["ours"].round(6), strict=True)) == {
        "table_feedforward/mnist/fcn/4/dni": 2.2,
        "table_feedforward/cifar10/fcn/4/dni": 2.0,
        "table_feedforward/mnist/cnn/4/dni": 1.9,
        "table_feedforward/mnist/fcn/4/cdni": 1.7,
        "text_single_dni/mnist/fcn/6/dni/cut_after~1": 1.6,
        "text_single_dni/mnist/fcn/6/dni/cut_after~5": 1.4,
        "text_single_dni/mnist/fcn/6/bprop/cut_after~0": 1.3,
    }
    assert set(table.loc[table["ours_iteration"].isna(), "verdict"]) == {"missing"}


STALE_CLAIM = "text_stale_gradients/mnist/fcn/4/stale"


def write_decay(results, decay, final, **changes):
    cell = {"stale_decay": decay}
    write_run(results, method="stale", experiment="stale_gradients", cell=cell, final=final, **changes)


def test_an_open_field_is_chosen_by_the_best_mean(tmp_path):
    """As the paper chose its decay. The table says which was chosen, among how many."""
    write_decay(tmp_path, 0.0, [13.1, 13.2, 13.3])
    found = row(judged(tmp_path), claim=STALE_CLAIM)
    assert (found["ours"], found["chosen"]) == (pytest.approx(13.2), "stale_decay~0.0, best on test error of 1")
    write_decay(tmp_path, 0.99, [11.7, 11.8, 11.9])
    write_decay(tmp_path, 0.9, [11.0, 12.0, 14.0])  # has the best replica, not the best mean
    found = row(judged(tmp_path), claim=STALE_CLAIM)
    assert (found["verdict"], found["ours"]) == ("reproduced", pytest.approx(11.8))
    assert found["chosen"] == "stale_decay~0.99, best on test error of 3" and "stale_decay~0.99/" in found["run"]
    assert row(judged(tmp_path), "jax", STALE_CLAIM)["chosen"] == ""


def test_a_choice_prefers_runs_that_are_comparable_and_whole(tmp_path):
    write_decay(tmp_path, 0.9, [12.1, 12.2, 12.3])
    write_decay(tmp_path, 0.99, [11.1, 11.2, 11.3], reached=300_000)
    write_decay(tmp_path, 0.999, [10.1, 10.2, 10.3], diverged=1)
    found = row(judged(tmp_path), claim=STALE_CLAIM)
    assert found["ours"] == pytest.approx(12.2) and found["n_diverged"] == 0
    assert found["chosen"] == "stale_decay~0.9, best on test error of 2; 1 more not comparable or without a value"


def test_a_choice_among_runs_of_other_conditions_is_shown_and_not_judged(tmp_path):
    write_decay(tmp_path, 0.9, [12.1, 12.2, 12.3], iterations=2000)
    write_decay(tmp_path, 0.99, [11.1, 11.2, 11.3], iterations=2000)
    found = row(judged(tmp_path), claim=STALE_CLAIM)
    assert (found["verdict"], found["why"]) == ("not comparable", "2000 of 500000 iterations")
    assert (found["ours"], found["chosen"]) == (pytest.approx(11.2), "stale_decay~0.99, best on test error of 2")


def test_the_best_follows_the_metrics_direction(tmp_path, monkeypatch):
    write_decay(tmp_path, 0.9, [12.1, 12.2, 12.3])
    write_decay(tmp_path, 0.99, [11.1, 11.2, 11.3])
    monkeypatch.setitem(MEASURES, "test_error", replace(MEASURES["test_error"], lower_is_better=False))
    assert row(judged(tmp_path), claim=STALE_CLAIM)["chosen"].startswith("stale_decay~0.9, ")


def test_what_has_no_published_number_is_shown_without_a_verdict(tmp_path):
    write_run(tmp_path, final=EQUAL)
    table = read_claims()
    table.loc[table["id"] == "table_feedforward/mnist/fcn/4/dni", ["value", "margin", "reading_error"]] = math.nan
    found = row(judge(table, read_runs(tmp_path, "feedforward")))
    assert (found["verdict"], found["why"], found["n"]) == ("", "no published number", 3)
    assert found["low"] < found["ours"] < found["high"] and found["ours"] == pytest.approx(2.2)


def test_the_claims_of_one_artifact_alone_get_the_same_verdicts(tmp_path):
    """At full precision, and from the runs of its own experiment."""
    write_run(tmp_path, final=[1.9, 2.2, 2.6])
    place = {"experiment": "stale_gradients", "cell": {"stale_decay": 0.9}}
    other = write_run(tmp_path, method="stale", **place)
    everything, runs = judged_claims(tmp_path)
    assert {run.record.experiment for run in runs} == {"feedforward", "stale_gradients"}
    table, runs = judged_claims(tmp_path, "table_feedforward")
    assert [run.record.experiment for run in runs] == ["feedforward"]
    assert_frame_equal(table, everything[everything["artifact"] == "table_feedforward"].reset_index(drop=True))
    assert row(table)["ours"] == pytest.approx(6.7 / 3, rel=1e-15)
    (other / "run.json").write_text("damaged")
    assert_frame_equal(judged_claims(tmp_path, "table_feedforward")[0], table)
    with pytest.raises(UserError, match=r"stale_decay~0.9"):
        judged_claims(tmp_path)


def test_experiments_that_a_claim_compares_with_are_read_too():
    claims = read_claims()
    abroad = claims[claims["reference"].str.startswith("experiment~")]
    assert set(abroad["experiment"]) == {"linear_dni", "stale_gradients"}
    assert experiments_of(abroad) == {"linear_dni", "stale_gradients", "feedforward"}
