"""What is timed, and the record of a process that timed it, in both frameworks."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import measure
from benchmarks.cases import CASES, Case, names
from benchmarks.cli import main
from benchmarks.gate.evidence import SAME
from benchmarks.gate.trees import SCHEMA, SLOWDOWN
from benchmarks.measure import BUCKETS, LAUNCHES, Training, sketch
from benchmarks.suite import test_feedforward, test_recurrent, training
from impls.registry import FRAMEWORKS, experiments

# So few iterations that PyTorch's step is neither captured nor compiled.
SMALL = {"method": "cdni", "depth": 3, "hidden_units": 8, "batch_size": 16, "iterations": 100}
TINY = Case("feedforward", SMALL, steps=5, replicas=2)


def tiny_training(monkeypatch, framework: str, launches: int, **fields) -> Training:
    """A tiny case after so many launches."""
    case = Case(TINY.experiment, TINY.fields | fields, TINY.steps, TINY.replicas)
    monkeypatch.setitem(CASES, "feedforward/tiny/x2", case)
    found = Training("feedforward/tiny/x2", framework, device="cpu")
    for _ in range(launches):
        found.launch()
    return found


def distance(a: list[float], b: list[float]) -> float:
    return float(np.linalg.norm(np.array(a) - b) / np.linalg.norm(a))


def test_the_two_programs_mean_the_same():
    assert (measure.SCHEMA, measure.SLOWDOWN) == (SCHEMA, SLOWDOWN)


@pytest.mark.parametrize("name", CASES)
def test_every_case_has_a_spec_and_data_that_fit_together(name):
    case = CASES[name]
    spec, splits = case.spec(), case.splits()
    examples = len(splits["train"][1]) if splits else 0
    inputs = spec.step_inputs([0], examples, 0, 1)
    assert name.startswith(f"{case.experiment}/") and name.endswith(f"/x{case.replicas}")
    assert bool(splits) == any(key in inputs for key in ("indices", "digits", "positions"))
    drawn = [inputs[key].max() for key in ("indices", "digits", "positions") if key in inputs]
    assert all(index < examples for index in drawn)
    assert spec.dataset != "mnist" or splits["train"][0].shape == (60_000, 28, 28)
    as_it_runs = set(case.fields) <= set(spec.cell_fields)  # small_copy has sizes of its own, and they are changes
    assert as_it_runs or spec.changed("choice") == [], "the gate times what the experiments run"


@pytest.mark.parametrize("experiment", experiments())
def test_every_experiment_is_timed_once_and_with_several_replicas(experiment):
    assert {CASES[name].replicas > 1 for name in names(experiment)} == {True, False}


def test_pytest_times_every_case():
    listed = [mark.args[1] for module in (test_feedforward, test_recurrent) for mark in module.test_training.pytestmark]
    assert sorted(name for part in listed for name in part) == sorted(CASES)


def test_the_distance_of_sketches_is_that_of_what_training_changed():
    """Every array counts the same, whatever its size. The tolerance of a third is four standard deviations."""
    rng = np.random.default_rng(0)
    before = {"a": rng.normal(size=(3, 1000)), "b": rng.normal(size=7)}

    def after(a: float, b: float) -> dict[str, np.ndarray]:
        change = np.random.default_rng(1)
        parts = {"a": a * change.random((3, 1000)), "b": b * change.random(7)}  # all changes have one sign
        return {f"parameters.{name}": before[name] + part for name, part in parts.items()} | {"adam.step": np.ones(1)}

    whole = sketch(before, after(1, 1))
    assert len(whole) == BUCKETS
    assert distance(whole, sketch(before, after(1, 1))) == 0
    assert distance(whole, sketch(before, after(1.1, 1.1))) == pytest.approx(0.1, rel=1e-3)
    squares = [np.mean((after(1, 1)[f"parameters.{name}"] - value) ** 2) for name, value in before.items()]
    assert np.linalg.norm(whole) == pytest.approx(sum(squares) ** 0.5, rel=0.33)
    for untrained in ((0, 1), (1, 0)):
        assert distance(whole, sketch(before, after(*untrained))) > 0.4


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_record_says_what_was_timed_on_what_and_what_came_out(monkeypatch, framework):
    monkeypatch.delenv(SLOWDOWN, raising=False)
    found = tiny_training(monkeypatch, framework, 2)
    record = json.loads(json.dumps(found.record([0.9, 0.1, 0.2])))
    assert record["seconds_per_step"] == pytest.approx(0.2 / 5)
    assert record["model_steps_per_second"] == pytest.approx(2 * 5 / 0.2)
    assert set(SAME) < set(record) and record["case"]["steps"] == 5
    assert record["machine"]["device"] == "cpu" and record["machine"]["cpu"] and record["machine"]["cores"] >= 1
    assert {"python", "numpy", framework} <= set(record["versions"])
    assert record["peak_memory_bytes"] > 1e7 and len(record["conditions"]["load_average"]) == 3
    # The same launches give the same result; one more launch, or another net, another one.
    again = tiny_training(monkeypatch, framework, 2)
    assert distance(record["result"], again.record([0.1])["result"]) < 1e-3
    assert again.record([0.1])["sources_sha256"] == record["sources_sha256"]
    again.launch()
    for other in (again, tiny_training(monkeypatch, framework, 2, learning_rate=6e-5)):
        assert distance(record["result"], other.record([0.1])["result"]) > 0.1


def test_a_run_of_pytest_gives_a_record_that_compare_takes(monkeypatch, tmp_path, capsys):
    """With a replacement of pytest-benchmark's fixture, which launches once and reports about 0.1 s."""
    monkeypatch.setitem(CASES, "feedforward/tiny/x2", TINY)
    monkeypatch.setattr(training, "matmul_operations_per_second", lambda _: 1e9)
    for name, milliseconds in (("base-0", 100), ("base-1", 101), ("head-0", 110), ("head-1", 111)):
        asked = {}
        fixture = SimpleNamespace(
            extra_info={},
            stats=SimpleNamespace(stats=SimpleNamespace(data=[milliseconds / 1000])),
            pedantic=lambda launch, asked=asked, **how: (launch(), asked.update(how)),
        )
        training.time_training(fixture, "torch", "feedforward/tiny/x2")
        assert asked == {"rounds": LAUNCHES, "warmup_rounds": 1}
        assert fixture.extra_info["milliseconds_per_step"] == pytest.approx(milliseconds / 5)
        content = {"machine_info": {}, "benchmarks": [{"extra_info": fixture.extra_info}]}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    assert main(["compare", f"{tmp_path}/base-*.json", f"{tmp_path}/head-*.json"]) == 1
    assert "slower         torch feedforward/tiny/x2  +10.0% (" in capsys.readouterr().out
