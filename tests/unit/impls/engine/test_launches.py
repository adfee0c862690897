"""The launches of a run: where they end, the drawing of their inputs in advance, and when they are waited for."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from impls.engine import launches as module
from impls.engine.launches import DRAWN_AHEAD, launches
from impls.engine.options import Options
from impls.engine.train import train
from impls.registry import spec_class
from tests.support.harness import SEEDS, inputs_of, runner

SPEC = spec_class("feedforward").tiny(method="bprop").model_copy(update={"iterations": 1000, "evaluate_every": 250})


def drawing(drawn: list):
    """Keeps what was drawn."""

    def draw(first: int, last: int) -> dict:
        drawn.append((first, last))
        return {"iteration": np.arange(first, last)}

    return draw


@pytest.mark.parametrize("steps", [50, 60, 250, 1000])
def test_every_iteration_is_drawn_once_and_evaluations_end_a_launch(steps):
    drawn = []
    done = list(launches(SPEC, 0, drawing(drawn), steps))
    np.testing.assert_array_equal(np.concatenate([inputs["iteration"] for _, inputs in done]), np.arange(1000))
    ends = [end for end, _ in done]
    assert {250, 500, 750, 1000} <= set(ends) and max(np.diff([0, *ends])) <= steps
    assert [last for _, last in drawn] == ends == sorted(ends)


def test_a_resumed_run_goes_on_at_the_same_boundaries():
    whole, rest = ([end for end, _ in launches(SPEC, start, drawing([]), 60)] for start in (0, 300))
    assert rest == [end for end in whole if end > 300]


def test_a_few_launches_are_drawn_ahead_and_a_stop_draws_no_more():
    drawn, threads = [], threading.active_count()
    running = launches(SPEC, 0, drawing(drawn), 50)
    next(running)
    running.close()
    assert 1 <= len(drawn) <= DRAWN_AHEAD + 1
    assert threading.active_count() == threads


def test_a_run_whose_launches_queue_as_on_a_gpu_has_the_same_results(monkeypatch, tmp_path):
    spec = spec_class("feedforward").tiny(method="cdni", iterations=400, evaluate_every=200, learning_rate_drops=(50,))
    records = []
    for still_running in (0, 1):
        monkeypatch.setitem(module.STILL_RUNNING, "cpu", still_running)
        folder = tmp_path / str(still_running)
        records.append(train("feedforward", spec, Options(framework="jax", device="cpu", threads=1, output=folder)))
    assert records[0].files == records[1].files, "the checksums of curves and parameters"
    assert all(record.model_steps_per_second for record in records)


def test_a_failure_to_draw_is_raised():
    def fails(first: int, last: int) -> dict:
        raise ValueError("no such task")

    with pytest.raises(ValueError, match="no such task"):
        list(launches(SPEC, 0, fails, 50))


def test_a_cpu_is_waited_for_and_a_gpu_has_one_launch_more():
    assert module.STILL_RUNNING == {"cpu": 0, "cuda": 1}
    spec = spec_class("feedforward").tiny(method="cdni")
    at_once, ahead = (runner("feedforward", spec, "jax", share=True) for _ in range(2))
    ahead.still_running = 1  # as on a GPU
    for first in (0, 4, 8):
        for run in (at_once, ahead):
            run.advance(inputs_of(run, SEEDS, first, first + 4))
        assert (len(at_once.running), len(ahead.running)) == (0, 1)
    ahead.wait()
    assert not ahead.running
    for name, value in at_once.leaves().items():
        np.testing.assert_array_equal(value, ahead.leaves()[name], err_msg=name)
