"""How claims about recurrent nets are read: the ladder of task lengths, early stopping, the share of the data."""

import math

import numpy as np
import pandas as pd
import pytest

from paper_figures.claims.curriculum import LADDERS, to_lengths, to_steps
from paper_figures.claims.measures import early_stops
from paper_figures.runs import read_runs
from tests.support.judged_claims import judged, row
from tests.support.recurrent_runs import (
    REACHES,
    REFERENCE,
    RUNGS,
    lines_of,
    promotions,
    write_copy,
    write_pair,
    write_ptb,
)

# The ladder.


@pytest.mark.parametrize("dataset", RUNGS)
def test_the_ladders_rungs_are_one_step_apart(dataset):
    rungs = RUNGS[dataset]
    assert list(LADDERS[dataset][: len(rungs)]) == rungs
    assert list(to_steps(dataset, rungs)) == list(range(len(rungs)))
    assert list(to_lengths(dataset, np.arange(len(rungs)))) == rungs
    assert np.isnan(to_steps(dataset, math.nan)) and np.isnan(to_lengths(dataset, math.nan))
    assert to_lengths(dataset, -2.5) == 0


def test_a_mean_between_two_rungs_is_a_length_between_theirs():
    assert to_lengths("repeat_copy", 14.5) == 63 and to_steps("repeat_copy", 63) == 14.5


@pytest.mark.parametrize(
    ("dataset", "method", "length", "solved", "word"),
    [
        # The paper has 5, which is two steps up: its neighbours are 4 and 7.
        ("repeat_copy", "bptt", 3, [5, 5, 5], "reproduced"),
        ("repeat_copy", "bptt", 3, [4, 4, 4], "inconclusive"),
        ("repeat_copy", "bptt", 3, [7, 7, 7], "inconclusive"),
        ("repeat_copy", "bptt", 3, [9] * 4, "differs (better)"),
        ("repeat_copy", "bptt", 3, [0] * 4, "differs (worse)"),
        # 67: its neighbours are 59 and 75, eight time steps away.
        ("repeat_copy", "dni_aux", 4, [67, 67], "inconclusive"),
        ("repeat_copy", "dni_aux", 4, [67, 67, 67], "reproduced"),
        ("repeat_copy", "dni_aux", 4, [59, 59, 59], "inconclusive"),
        ("repeat_copy", "dni_aux", 4, [75, 75, 75], "inconclusive"),
        ("repeat_copy", "dni_aux", 4, [52] * 4, "differs (worse)"),
        ("repeat_copy", "dni_aux", 4, [84] * 4, "differs (better)"),
        # 14: 13 and 15.
        ("copy", "dni", 3, [13, 13, 13], "inconclusive"),
        ("copy", "dni", 3, [15, 15, 15], "inconclusive"),
        ("copy", "dni", 3, [12, 12, 12], "inconclusive"),  # two steps away, from three equal integers
        ("copy", "dni", 3, [12] * 4, "differs (worse)"),
        ("copy", "dni", 3, [16] * 4, "differs (better)"),
        ("copy", "dni", 3, [14, 15, 14], "inconclusive"),  # a prediction of 2.9 steps to either side
        ("copy", "dni", 3, [14, 15, 14, 14], "reproduced"),
        ("copy", "dni", 3, [14] * 9 + [15], "reproduced"),
        # Not significantly within one step, but inside the prediction interval.
        ("copy", "dni", 3, [15] * 9 + [14], "consistent"),
        ("copy", "dni", 3, [16] * 9 + [17], "differs (better)"),
        ("copy", "dni", 3, [14], "inconclusive"),
    ],
)
def test_the_margin_is_one_curriculum_step(tmp_path, dataset, method, length, solved, word):
    write_copy(tmp_path, "torch", dataset, method, length, solved, seeds=range(len(solved)))
    found = row(judged(tmp_path), claim=f"table_rnn/{dataset}/lstm/{method}/truncation_length~{length}")
    assert (found["verdict"], found["n"]) == (word, len(solved))
    assert found["why"].startswith("in curriculum steps: ") and found["ours_iteration"] == 2_500_000


def test_intervals_are_computed_in_steps_and_shown_as_task_lengths(tmp_path):
    write_copy(tmp_path, "jax", "repeat_copy", "dni", 5, [52, 59, 67])
    found = row(judged(tmp_path), "jax", "table_rnn/repeat_copy/lstm/dni/truncation_length~5")
    half = 4.302653 / math.sqrt(3)  # 14 steps, with a standard deviation of 1
    assert found["ours"] == 59
    assert found["low"] == pytest.approx(to_lengths("repeat_copy", 14 - half), rel=1e-5)
    assert found["high"] == pytest.approx(to_lengths("repeat_copy", 14 + half), rel=1e-5)
    assert found["high"] - found["ours"] > 1.1 * (found["ours"] - found["low"])
    _, _, *lines = lines_of(tmp_path)
    (cell,) = {cell for line in lines for cell in line if "resolves" in cell}
    assert cell == f"59.0 [{found['low']:.1f}, {found['high']:.1f}] (3) {found['verdict']}, resolves 5.0"
    assert found["resolves"] == pytest.approx(2 * half, rel=1e-5)  # sqrt(1 + 1/3) instead of sqrt(1/3)


def test_a_climb_counts_up_to_the_claims_iteration(tmp_path):
    """Later ones do not count. A run that stopped early is not comparable, and its value is shown."""
    claim = "table_rnn/copy/lstm/dni/truncation_length~3"
    write_copy(tmp_path / "long", solved=[20, 20, 20], iterations=5_000_000)
    table = promotions("copy", 20, 5_000_000)
    expected = max(task for iteration, task in table if iteration <= 2_500_000)
    found = row(judged(tmp_path / "long"), claim=claim)
    assert found["ours"] == expected < 20 and found["verdict"] != "not comparable"
    write_copy(tmp_path / "short", solved=[8, 8, 9], reached=100_000)
    found = row(judged(tmp_path / "short"), claim=claim)
    assert (found["verdict"], found["why"]) == ("not comparable", "100000 of 2500000 iterations")
    assert found["ours"] == pytest.approx(8 + 1 / 3) and found["ours_iteration"] == 100_000


def test_a_replica_that_diverged_has_no_task_length(tmp_path):
    write_copy(tmp_path, diverged={1: 1_000_000})
    found = row(judged(tmp_path), claim="table_rnn/copy/lstm/dni/truncation_length~3")
    assert (found["verdict"], found["n"], found["n_diverged"]) == ("differs (worse)", 2, 1)
    assert found["why"] == "in curriculum steps: 1 of 3 replicas diverged" and found["ours"] == 14.5
    assert read_runs(tmp_path, "recurrent")[0].diverged_at() == {1: 1_000_000}


# Early stopping.

STOPS = {
    "first rise": ([5.0, 2.0, 1.5, 1.6], 10_000, True),
    "no rise yet": ([5.0, 2.0, 1.5, 1.4], 15_000, False),
    "rises, then falls lower": ([5.0, 2.0, 2.1, 1.3], 5_000, True),
    "equal is no rise": ([5.0, 2.0, 2.0, 2.1], 10_000, True),
    "rises at once": ([5.0, 5.1, 1.0, 0.9], 0, True),
    "diverged before a rise": ([5.0, 2.0, math.nan, math.nan], 15_000, False),
    "diverged after it": ([5.0, 2.0, 2.1, math.nan], 5_000, True),
}


@pytest.mark.parametrize("case", STOPS)
def test_the_best_snapshot_is_the_one_before_the_first_rise(case):
    valid, best, risen = STOPS[case]
    iterations, rises = early_stops(pd.DataFrame({7: valid}, index=[0, 5_000, 10_000, 15_000]))
    assert (iterations[7], rises[7]) == (best, risen)


PTB_CLAIM = "table_rnn/ptb/lstm/dni/truncation_length~5"


def test_a_replicas_result_is_the_test_error_of_its_own_best_snapshot(tmp_path):
    """Each replica stops at its own iteration. A run that ended by the rule counts as one of full length."""
    valid = [STOPS[case][0] for case in ("first rise", "rises, then falls lower", "diverged after it")]
    test = [[5, 2, 1.36, 9], [5, 1.35, 9, 1.2], [5, 1.34, 9, math.nan]]
    write_ptb(tmp_path, valid=valid, test=test)
    found = row(judged(tmp_path), claim=PTB_CLAIM)
    assert (found["verdict"], found["n"], found["n_diverged"]) == ("inconclusive", 3, 0)
    assert found["ours"] == pytest.approx(1.35) and found["ours_iteration"] == 10_000
    write_ptb(tmp_path, length=4, valid=[valid[0]] * 3, test=[[5, 2, 1.35 + i / 1000, 9] for i in range(3)])
    assert row(judged(tmp_path), claim=PTB_CLAIM.replace("~5", "~4"))["verdict"] == "reproduced"


def test_a_training_that_has_not_risen_is_not_comparable(tmp_path):
    valid = [STOPS[case][0] for case in ("first rise", "no rise yet", "no rise yet")]
    test = [[5, 2, 1.3, 9], [5, 2, 1.5, 1.4], [5, 2, 1.5, 1.5]]
    write_ptb(tmp_path, valid=valid, test=test, iterations=15_000)  # "complete", and still not at its end
    found = row(judged(tmp_path), claim=PTB_CLAIM)
    assert found["verdict"] == "not comparable"
    assert found["why"] == "2 of 3 replicas' validation had not risen by iteration 15000"
    assert found["ours"] == pytest.approx(1.4) and found["ours_iteration"] == 15_000


def test_a_replica_that_diverged_before_its_stop_is_counted(tmp_path):
    valid = [STOPS[case][0] for case in ("first rise", "first rise", "diverged before a rise")]
    write_ptb(tmp_path, valid=valid, test=[[5, 2, 1.35, 9], [5, 2, 1.35, 9], [5, 2, math.nan, math.nan]])
    found = row(judged(tmp_path), claim=PTB_CLAIM)
    assert (found["verdict"], found["n"], found["n_diverged"]) == ("differs (worse)", 2, 1)


def test_without_validation_there_is_no_snapshot(tmp_path):
    run = write_ptb(tmp_path)
    frame = pd.read_parquet(run / "curves.parquet")
    frame[frame["split"] == "test"].to_parquet(run / "curves.parquet")
    found = row(judged(tmp_path), claim=PTB_CLAIM)
    assert (found["verdict"], found["why"]) == ("missing", "valid bits_per_character was not recorded")


# The paper's curves: iteration = x / T.


@pytest.mark.parametrize(
    ("every", "iteration", "expected"),
    [
        (5_000, 20_000, 1.46),  # evaluated there
        (5_000, 16_000, 1.492),  # a fifth of the way from 15,000 to 20,000
        (5_000, 38_000, None),  # after the end
        (6_000, 16_000, None),  # the evaluations around it are further apart than the paper's
    ],
)
def test_a_point_of_the_papers_plot_is_read_between_evaluations(tmp_path, every, iteration, expected):
    valid = [[1.9, 1.8, 1.7, 1.5, 1.46, 1.47]] * 3
    write_ptb(tmp_path, "torch", "bptt", 20, valid=valid, test=valid, every=every)
    found = row(judged(tmp_path), claim=f"fig_ptb_curves/ptb/lstm/bptt/truncation_length~20/{iteration}")
    if expected:
        assert (found["ours"], found["ours_iteration"]) == (pytest.approx(expected), iteration)
        assert found["verdict"] == "differs (worse)"
    elif every == 5_000:
        assert (found["verdict"], found["ours"]) == ("not comparable", pytest.approx(1.47))
        assert found["why"] == "25000 of 38000 iterations, stopped by its own rule"
    else:
        assert found["verdict"] == "missing" and "within 5000 iterations on both sides of 16000" in found["why"]


# Two runs in one claim.

FRACTION = "text_ptb/ptb/lstm/dni_aux/truncation_length~5"


def test_the_share_of_the_data_is_that_of_pairs_of_one_seed(tmp_path):
    other = [bits + 0.05 for bits in REFERENCE]  # its goal is 1.40, which the second replica reaches at 20,000
    write_pair(tmp_path, [REACHES, REACHES], [REFERENCE, other])
    found = row(judged(tmp_path), claim=FRACTION)
    first, second = 27_500 * 5 / (15_000 * 20), 20_000 * 5 / (15_000 * 20)
    assert found["ours"] == pytest.approx((first + second) / 2, rel=1e-5) and found["n"] == 2
    assert found["ours_iteration"] == 27_500 and found["verdict"] == "inconclusive"
    assert "dni_aux/truncation_length~5" in found["run"]
    # The seeds the other way round: the pairs follow them.
    write_pair(tmp_path / "turned", [REACHES, REACHES], [REFERENCE, other], seeds=(1, 7))
    found = row(judged(tmp_path / "turned"), claim=FRACTION)
    assert (found["n"], found["ours"]) == (1, pytest.approx(second, rel=1e-5))


def test_a_share_within_the_margin_is_reproduced(tmp_path):
    falls = [[2.0, 1.7, 1.35, 1.36]] * 3  # to 1.35 at 10,000
    # To it between 20,000 and 25,000.
    own = [[2.0, 1.8, 1.6, 1.5, 1.35 + 0.1 * s, 1.25 + 0.1 * s, 1.2, 1.3] for s in (0.5, 0.64, 0.8)]
    write_pair(tmp_path, own, falls)
    found = row(judged(tmp_path), claim=FRACTION)
    assert found["verdict"] == "reproduced"
    assert found["ours"] == pytest.approx((22_500 + 23_200 + 24_000) / 3 * 5 / (10_000 * 20), rel=1e-5)


@pytest.mark.parametrize(
    ("own", "reference", "changes", "verdict", "why"),
    [
        ([REACHES] * 2, None, {}, "missing", "no run of method~bptt/truncation_length~20 to compare with"),
        ([REFERENCE] * 2, [REACHES] * 2, {}, "differs (worse)", "2 of 2 replicas never reached it"),
        (
            [[2.0, 1.5, 1.36, 1.37, 1.30]] * 2,
            [REFERENCE] * 2,
            {},
            "differs (worse)",
            "2 of 2 replicas never reached it",
        ),
        ([REACHES[:-1]] * 2, [REFERENCE] * 2, {}, "not comparable", "2 of 2 replicas' validation had not risen"),
        ([REACHES] * 2, [REFERENCE[:-1]] * 2, {}, "not comparable", "2 of 2 replicas' validation had not risen"),
        ([REACHES], [[2.0, math.nan]], {}, "not comparable", "1 replicas of method~bptt/truncation_length~20 diverged"),
        ([REACHES], [REFERENCE], {"seeds": (5,)}, "missing", "no seed in common"),
        ([REACHES] * 2, [REFERENCE] * 2, {"stand_in": True}, "not comparable", "stand-in data"),
    ],
)
def test_what_keeps_two_runs_from_being_compared(tmp_path, own, reference, changes, verdict, why):
    if reference is None:
        write_ptb(tmp_path, "torch", "dni_aux", 5, valid=own, test=own)
        write_ptb(tmp_path, "jax", "bptt", 20)  # of the other framework
    else:
        write_pair(tmp_path, own, reference, **changes)
    found = row(judged(tmp_path), claim=FRACTION)
    assert found["verdict"] == verdict and found["why"].startswith(why)
