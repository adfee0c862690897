"""PyTorch's step, recorded on the CPU and replayed, equals the plain loop, for every experiment.

No GPU is needed. On a GPU, `pytest tests/parity --device cuda` runs the ladder with real CUDA graphs.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from impls.engine import torch_capture, torch_engine
from impls.engine.state import flatten, unflatten
from tests.support import recorder
from tests.support.harness import IDS, ROWS, SEEDS, assert_same, inputs_of, runner

LAUNCHES = [(0, 2), (2, 3)]


def captured(monkeypatch, experiment, spec):
    """A run that takes the path for a GPU, with the recorder in place of a CUDA graph."""
    monkeypatch.setattr(torch_engine, "capture", recorder.capture)
    run = runner(experiment, spec, "torch", captures=True)
    run.steps_per_launch, run._capture_operations = 2, run._capture_graph
    return run


@pytest.mark.parametrize(("experiment", "spec"), ROWS, ids=IDS)
def test_the_captured_path_equals_the_plain_loop(monkeypatch, experiment, spec):
    fast, plain = captured(monkeypatch, experiment, spec), runner(experiment, spec, "torch")
    addresses = {path: value.data_ptr() for path, value in flatten(fast.state).items()}
    for first, last in LAUNCHES:
        fast.advance(inputs_of(fast, SEEDS, first, last))
        plain.advance(inputs_of(plain, SEEDS, first, last))
        if "test" in fast.splits:
            fast.evaluate("test", None)  # between launches, as in a run
    assert addresses == {path: value.data_ptr() for path, value in flatten(fast.state).items()}
    assert fast.compile_seconds > 0
    assert_same(fast.leaves(), plain.leaves(), f"{experiment} {spec.cell()}, captured against plain")


def test_a_state_loaded_after_the_capture_is_what_replays_go_on_from(monkeypatch):
    experiment, spec = ROWS[IDS.index(next(name for name in IDS if name.startswith("recurrent")))]
    first, second = captured(monkeypatch, experiment, spec), captured(monkeypatch, experiment, spec)
    first.advance(inputs_of(first, SEEDS, 0, 2))
    second.advance(inputs_of(second, SEEDS, 20, 22))
    second.load(first.leaves())
    for run in (first, second):
        run.advance(inputs_of(run, SEEDS, 2, 4))
    for name, value in first.leaves().items():
        np.testing.assert_array_equal(value, second.leaves()[name], err_msg=name)


def step_of(run, change) -> None:
    """Make the run's step call `change(run, inputs)` at its end."""
    step = run._step

    def changed(inputs):
        step(inputs)
        change(run, inputs)

    run._step = changed


def rebinds(run, _inputs) -> None:
    own = {name: value + 0 for name, value in flatten(run.state["parameters"]).items()}
    run.state = run.state | {"parameters": unflatten(own)}


def asks_for_a_value(run, inputs) -> None:
    if inputs["learning_rate"] > 0:
        next(iter(flatten(run.state["parameters"]).values())).add_(1)


def sends_a_number(run, _inputs) -> None:
    next(iter(flatten(run.state["parameters"]).values())).add_(torch.tensor(1.0))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (rebinds, RuntimeError, "must update its state in place, but this one replaced parameters."),
        (asks_for_a_value, recorder.Refused, "_local_scalar_dense"),
        (sends_a_number, recorder.Refused, "lift_fresh"),
    ],
)
def test_a_step_that_cannot_be_captured_is_refused(monkeypatch, change, error, message):
    run = captured(monkeypatch, *ROWS[0])
    step_of(run, change)
    with pytest.raises(error, match=message):
        run.advance(inputs_of(run, SEEDS, 0, 1))


def test_a_number_of_the_host_is_frozen_in_a_replay(monkeypatch):
    """The mistakes that the recorder must find: such a step runs without an error, and its result is wrong."""
    run = captured(monkeypatch, *ROWS[0])
    counted = iter(range(100))
    name, weight = next(iter(flatten(run.state["parameters"]).items()))
    run._step = lambda _: weight.add_(next(counted))
    before = run.leaves()[f"parameters.{name}"]
    run.advance(inputs_of(run, SEEDS, 0, 2))
    np.testing.assert_allclose(run.leaves()[f"parameters.{name}"] - before, 2 * torch_capture.WARM_UP_STEPS)
