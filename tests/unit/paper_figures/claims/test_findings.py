"""The paper's findings in words (orderings, trends) as claims: how two cells are compared, and one over training."""

import math

import pytest

from tests.support.judged_claims import finding
from tests.support.recurrent_runs import write_copy, write_ptb
from tests.support.runs_on_disk import write_run

# Two cells of one experiment, by seed.


def write_depths(results, deep, shallow, seeds=(0, 1, 2), **changes):
    write_run(results, depth=6, method="no_bprop", final=deep, seeds=seeds, **changes)
    write_run(results, depth=3, method="no_bprop", final=shallow)


DEPTH = "worse_with_depth/mnist/fcn/no_bprop"


def test_replicas_are_paired_by_seed(tmp_path):
    """The differences are 0.2, 0.3 and 0.4; any other pairing would spread by whole points."""
    write_depths(tmp_path, [9.4, 5.3, 1.2], [1.0, 5.0, 9.0], seeds=(2, 1, 0))
    found = finding(tmp_path, DEPTH)
    half = 4.302653 * 0.1 / math.sqrt(3)
    assert (found["ours"], found["low"], found["high"]) == pytest.approx((0.3, 0.3 - half, 0.3 + half), rel=1e-4)
    assert (found["verdict"], found["n"], found["ours_iteration"]) == ("reproduced", 3, 500_000)
    assert found["why"].startswith("the one-sided 95% lower bound 0.1314 of the mean is at least 0.05: p = ")
    assert "depth~6" in found["run"] and finding(tmp_path, DEPTH, "jax")["verdict"] == "missing"


@pytest.mark.parametrize(
    ("deep", "verdict"),
    [
        ([1.0, 5.0, 9.0], "differs (worse)"),  # equal, so there is no rise
        ([0.8, 4.9, 8.8], "differs (worse)"),
        ([1.5, 4.9, 9.3], "inconclusive"),
        ([math.nan, 6.0, 10.0], "differs (worse)"),
    ],
)
def test_no_rise_is_no_success(tmp_path, deep, verdict):
    write_depths(tmp_path, deep, [1.0, 5.0, 9.0])
    assert finding(tmp_path, DEPTH)["verdict"] == verdict


@pytest.mark.parametrize(
    ("changes", "verdict", "why"),
    [
        ({"source": "stand-in"}, "not comparable", "stand-in data"),
        ({"differs": ["hidden_units = 64 (paper: 256)"]}, "not comparable", "hidden_units = 64 (paper: 256)"),
        ({"reached": 300_000}, "not comparable", "300000 of 500000 iterations"),
        ({"seeds": (7, 8, 9)}, "missing", "no seed in common with a whole replica of depth~3"),
        ({"framework": "jax"}, "missing", "no run of this cell"),
    ],
)
def test_what_keeps_two_cells_from_being_compared(tmp_path, changes, verdict, why):
    write_depths(tmp_path, [2.0, 6.0, 10.0], [1.0, 5.0, 9.0], **changes)
    found = finding(tmp_path, DEPTH)
    assert found["verdict"] == verdict and found["why"].startswith(why)


def test_a_reference_of_other_conditions_or_none_is_said(tmp_path):
    write_run(tmp_path, depth=6, method="no_bprop", final=[2.0, 6.0, 10.0])
    write_run(tmp_path, depth=3, method="no_bprop", experiment="single_dni")  # another experiment's
    found = finding(tmp_path, DEPTH)
    assert (found["verdict"], found["why"]) == ("missing", "no run of depth~3 to compare with")
    write_run(tmp_path, depth=3, method="no_bprop", final=[1.0, 5.0, 9.0], diverged=1)
    found = finding(tmp_path, DEPTH)
    assert (found["verdict"], found["why"], found["n"]) == ("not comparable", "1 replicas of depth~3 diverged", 2)
    for number, (changes, why) in enumerate(
        [({"source": "stand-in"}, "stand-in data"), ({"reached": 9_000}, "9000 of 500000 iterations")]
    ):
        folder = tmp_path / str(number)
        write_run(folder, depth=6, method="no_bprop", final=[2.0, 6.0, 10.0], evaluate_every=1000)
        write_run(folder, depth=3, method="no_bprop", final=[1.0, 5.0, 9.0], evaluate_every=1000, **changes)
        found = finding(folder, DEPTH)
        assert (found["verdict"], found["why"]) == ("not comparable", why)
    # Where one of them was cut short, both are read there.
    assert found["ours_iteration"] == 9_000


def test_training_error_is_compared_apart_from_test_error(tmp_path):
    for method, train in (("bprop", 1.0), ("dni", 6.0), ("cdni", 2.0)):
        metrics = {("train", "error"): [train, train + 0.1, train + 0.3]}
        final = [20.0, 20.1, 20.2]
        write_run(tmp_path, method=method, dataset="cifar10", model="cnn", final=final, metrics=metrics)
    assert finding(tmp_path, "dni_underfits/cifar10/cnn/4")["ours"] == pytest.approx(5)
    found = finding(tmp_path, "cdni_cures_underfitting/cifar10/cnn/4/train")
    assert (found["ours"], found["verdict"]) == (pytest.approx(-4), "reproduced")
    assert finding(tmp_path, "cdni_cures_underfitting/cifar10/cnn/4/test")["verdict"] == "differs (worse)"


# Two experiments.


def test_stale_gradients_are_held_against_dni_at_their_best_decay(tmp_path):
    write_run(tmp_path, depth=6, method="dni", final=[4.0, 4.2, 4.4])
    stale = {"depth": 6, "method": "stale", "experiment": "stale_gradients"}
    write_run(tmp_path, final=[19.0, 19.2, 19.4], cell={"stale_decay": 0.9}, **stale)
    write_run(tmp_path, final=[4.1, 4.3, 4.6], cell={"stale_decay": 0.99}, **stale)
    found = finding(tmp_path, "stale_above_dni/mnist/fcn/6")
    assert found["ours"] == pytest.approx(0.4 / 3, rel=1e-4) and found["verdict"] == "inconclusive"
    assert found["chosen"] == "stale_decay~0.99, best on test error of 2"


def test_a_reference_of_another_experiment_is_not_taken_from_the_own(tmp_path):
    linear = {"depth": 6, "experiment": "linear_dni", "cell": {"synthetic_gradient_depth": 0}}
    write_run(tmp_path, final=[5.0, 5.1, 5.2], **linear)
    name = "linear_dni_trains/mnist/fcn/6"
    why = "no run of experiment~feedforward/method~no_bprop to compare with"
    assert finding(tmp_path, name)["why"] == why
    write_run(tmp_path, depth=6, method="no_bprop", final=[21.0, 21.1, 21.3])
    assert finding(tmp_path, name)["ours"] == pytest.approx(-48.1 / 3, rel=1e-4)
    write_run(tmp_path / "lost", final=[5.0, 5.1, 5.2], **linear)
    write_run(tmp_path / "lost", depth=6, method="no_bprop", final=[21.0, 21.1, 21.3], diverged=3)
    found = finding(tmp_path / "lost", name)
    assert found["why"] == "3 replicas of experiment~feedforward/method~no_bprop diverged"


# Of one run: means over training, and the slope over its replicas.


def test_the_quality_of_a_gradient_is_a_mean_over_training(tmp_path):
    """Over the evaluations after iteration 0, up to the claim's. For the L2 error it is the last over the largest."""
    cosine = {0: [0.0, 0.0], 250_000: [0.3, 0.1], 500_000: [0.1, 0.2], 750_000: [9.0, 9.0]}
    l2_error = {0: [1.0, 1.0], 250_000: [4.0, 2.0], 500_000: [1.0, 1.0], 750_000: [9.0, 9.0]}
    metrics = {
        ("batch", "h5.cosine_similarity"): lambda replica, iteration: cosine[iteration][replica],
        ("batch", "h5.sign_error"): lambda replica, iteration: 100 - 60 * (iteration > 0) - replica,
        ("batch", "h5.l2_error"): lambda replica, iteration: l2_error[iteration][replica],
        ("batch", "h1.cosine_similarity"): 0.9,  # of another cut than the cell's
    }
    lengths = {"iterations": 750_000, "evaluate_every": 250_000, "seeds": (0, 1), "final": [2.0, 2.0]}
    where = {"depth": 6, "experiment": "single_dni", "cell": {"cut_after": 5}}
    write_run(tmp_path, metrics=metrics, **where, **lengths)
    place = "mnist/fcn/6/cut_after~5"
    found = finding(tmp_path, f"cosine_above_zero/{place}")
    assert (found["ours"], found["n"], found["ours_iteration"]) == (pytest.approx(0.175), 2, 500_000)
    assert finding(tmp_path, f"sign_error_below_half/{place}")["ours"] == pytest.approx(39.5)
    assert finding(tmp_path, f"l2_error_falls/{place}")["ours"] == pytest.approx((1 / 4 + 1 / 2) / 2)
    # A zero gradient has a cosine of exactly 0, and that is not above it.
    dead = {("batch", "h5.cosine_similarity"): 0.0, ("batch", "h5.sign_error"): lambda *_: 100.0}
    dead["batch", "h5.cosine_similarity"] = lambda *_: 0.0
    write_run(tmp_path / "dead", metrics=dead, **where, **lengths)
    assert finding(tmp_path / "dead", f"cosine_above_zero/{place}")["verdict"] == "differs (worse)"
    assert finding(tmp_path / "dead", f"sign_error_below_half/{place}")["verdict"] == "differs (worse)"
    assert finding(tmp_path / "dead", f"l2_error_falls/{place}")["why"] == "batch h5.l2_error was not recorded"
    gone = {
        ("batch", "h5.cosine_similarity"): lambda replica, iteration: (
            math.nan if iteration > 250_000 and replica else 0.2
        )
    }
    write_run(tmp_path / "gone", metrics=gone, **where, **lengths)
    found = finding(tmp_path / "gone", f"cosine_above_zero/{place}")
    assert (found["verdict"], found["why"]) == ("differs (worse)", "1 of 2 replicas diverged")


# Recurrent nets.


def test_climbs_are_compared_in_steps_of_the_curriculum(tmp_path):
    """39, 45, 52 are the steps 11, 12, 13; 5, 7, 5 are 2, 3, 2."""
    write_copy(tmp_path, dataset="repeat_copy", method="dni", solved=(39, 45, 52))
    write_copy(tmp_path, dataset="repeat_copy", method="bptt", solved=(5, 7, 5))
    found = finding(tmp_path, "dni_beyond_bptt/repeat_copy/lstm/truncation_length~3")
    assert (found["ours"], found["n"]) == (pytest.approx(29 / 3, rel=1e-5), 3)
    assert (found["verdict"], found["unit"]) == ("reproduced", "curriculum steps")
    for seeds, word in ((range(3), "inconclusive"), (range(6), "differs (worse)")):
        folder = tmp_path / str(len(seeds))
        for method in ("dni", "bptt"):
            write_copy(folder, method=method, solved=[8] * len(seeds), seeds=seeds)
        found = finding(folder, "dni_beyond_bptt/copy/lstm/truncation_length~3")
        assert (found["ours"], found["verdict"]) == (0, word)


def test_bits_are_those_of_the_best_snapshots(tmp_path):
    best = [[2.0, bits, 1.5] for bits in (1.36, 1.37, 1.38)]
    write_ptb(tmp_path, method="dni", valid=best, test=best)
    write_ptb(tmp_path, method="bptt", valid=[[2.0, 1.5, bits + 0.03, 1.6] for _, bits, _ in best])
    found = finding(tmp_path, "dni_below_bptt/ptb/lstm/truncation_length~5")
    assert found["ours"] == pytest.approx(-0.04) and found["verdict"] == "reproduced"
    write_ptb(tmp_path / "still", method="dni", valid=best, test=best)
    write_ptb(tmp_path / "still", method="bptt", valid=[[2.0, 1.5, 1.4]] * 3)
    found = finding(tmp_path / "still", "dni_below_bptt/ptb/lstm/truncation_length~5")
    assert found["why"] == "3 of 3 replicas' validation had not risen by iteration 10000"
