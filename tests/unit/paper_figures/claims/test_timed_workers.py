"""Seconds to an error: iterations of the curves times the measured seconds of a batch; and the claim about them."""

import pytest

from paper_figures.claims.timed_workers import seconds_to
from paper_figures.runs import read_runs, select_runs
from tests.support.judged_claims import judged, row
from tests.support.unlocked_runs import BATCH_MS, error, write_unlocked, write_worker_times

SOONER = "hypothesis/unlocked_sooner_than_all_that_wait/mnist/fcn/6/cdni/link_delay~4"


def test_seconds_are_iterations_times_the_mean_of_the_starts(tmp_path):
    write_unlocked(tmp_path)
    write_worker_times(tmp_path)
    (run,) = select_runs(read_runs(tmp_path, "unlocked"), method="bprop")[:1]
    locked = run.times.of("locked", 5)
    seconds = seconds_to(2.0, run, locked)
    batch = (BATCH_MS["locked"][0] * 1.01 + 2 * 5) / 1000
    assert seconds[0] == pytest.approx(2_000 * batch, rel=0.02)
    assert seconds_to(1.0, run, locked)[0] == float("inf")


def test_the_claim_compares_with_the_fastest_that_wait(tmp_path):
    write_unlocked(tmp_path)
    write_worker_times(tmp_path)
    found = row(judged(tmp_path), "torch", SOONER)
    # 1.29 times the iterations; 5.5 ms a batch against the 12 ms of data parallelism.
    assert found["ours"] == pytest.approx(1.29 * 5.5 / 12, rel=0.05)
    assert found["verdict"] == "reproduced"


def test_without_times_the_claim_is_missing_and_says_how_to_get_them(tmp_path):
    write_unlocked(tmp_path)
    found = row(judged(tmp_path), "torch", SOONER)
    assert found["verdict"] == "missing" and "python -m impls workers" in found["why"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"spec": {"depth": 5}}, "another net: depth"),
        ({"links": (0, 1)}, "not all schedules were timed"),
    ],
)
def test_times_of_something_else_are_not_used(tmp_path, arguments, words):
    write_unlocked(tmp_path)
    write_worker_times(tmp_path, **arguments)
    found = row(judged(tmp_path), "torch", SOONER)
    assert found["verdict"] == "missing" and words in found["why"]


def test_a_reference_that_never_comes_so_low_makes_the_claim_not_comparable(tmp_path):
    """Without it, a replica of backpropagation that failed would be left out in silence."""
    write_unlocked(
        tmp_path, bprop=lambda replica, iteration: 3.0 if replica == 1 else error("bprop", 0)(replica, iteration)
    )
    write_worker_times(tmp_path)
    found = row(judged(tmp_path), "torch", SOONER)
    assert found["verdict"] == "not comparable" and "1 replicas of the reference did not reach 2%" in found["why"]
    assert found["n"] == 2
