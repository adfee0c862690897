"""What a machine cannot hold is refused before it is tried."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from impls.engine import memory
from impls.engine.memory import GIB, check_memory, estimated_bytes, total_memory
from impls.engine.options import Options
from impls.engine.train import train
from impls.errors import UserError
from impls.registry import experiments, spec_class

CELLS = [(name, spec) for name in experiments() for spec in spec_class(name).ladder()]


@pytest.mark.parametrize("cell", range(len(CELLS)), ids=lambda i: f"{CELLS[i][0]}-{i}")
def test_the_shapes_are_those_of_the_weights(cell):
    _, spec = CELLS[cell]
    weights = [value.shape for name, value in spec.initial_parameters(0).items() if name.endswith(".weight")]
    assert sorted(weights) == sorted(spec.weight_shapes)


def test_memory_grows_with_replicas_units_and_batch():
    small = spec_class("feedforward")()
    for changes in ({"hidden_units": 2000}, {"batch_size": 100_000}):
        assert estimated_bytes(small.model_copy(update=changes), 3) > 1.2 * estimated_bytes(small, 3)
    assert estimated_bytes(small, 100) > 5 * estimated_bytes(small, 3)


def test_too_large_a_run_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(memory, "total_memory", lambda: 8 * GIB)
    spec = spec_class("feedforward")()
    check_memory(spec, 3, "cpu")
    with pytest.raises(UserError, match=r"needs about 1\d+\.\d GiB of memory, and there are 8\.0: use fewer replicas"):
        check_memory(spec, 1000, "cpu")
    monkeypatch.setattr(memory, "total_memory", lambda: None)
    check_memory(spec, 1000, "cpu")  # nothing is known, so nothing is refused


@pytest.mark.parametrize(
    ("files", "gib"),
    [
        ({"proc/meminfo": "MemTotal:        16777216 kB\nMemFree: 1 kB\n"}, 16),
        ({"proc/meminfo": "MemTotal:        16777216 kB\n", "sys/fs/cgroup/memory.max": f"{2 * GIB}\n"}, 2),
        ({"proc/meminfo": "MemTotal:        16777216 kB\n", "sys/fs/cgroup/memory.max": "max\n"}, 16),
        ({}, None),
    ],
)
def test_the_memory_of_a_machine_and_of_its_container(files, gib, tmp_path):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert total_memory(tmp_path) == (None if gib is None else gib * GIB)


WRONG = [
    ("feedforward", {"depth": 10_000}),
    ("feedforward", {"batch_size": 10**9}),
    ("feedforward", {"iterations": 10**13}),
    ("feedforward", {"iterations": 10**9, "evaluate_every": 1}),
    ("feedforward", {"hidden_units": 10**9}),
    ("feedforward", {"learning_rate": float("nan")}),
    ("feedforward", {"adam_decays": (0.9, float("inf"))}),
    ("feedforward", {"learning_rate_drops": (20, 10)}),
    ("feedforward", {"learning_rate_drops": (True,)}),
    ("feedforward", {"iterations": True}),
    ("recurrent", {"truncation_length": 10**5}),
    ("recurrent", {"peepholes": 2}),
]


@pytest.mark.parametrize(("experiment", "fields"), WRONG)
def test_a_value_that_is_a_slip_is_refused(experiment, fields):
    with pytest.raises(ValidationError):
        spec_class(experiment)(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"replicas": 10**6},
        {"first_seed": 2**63},
        {"output": ""},
        {"preset": "../../x"},
        {"preset": "published"},
        {"threads": 10**9},
        {"max_minutes": float("inf")},
    ],
)
def test_an_option_that_is_a_slip_is_refused(fields):
    with pytest.raises(ValidationError):
        Options(framework="jax", **fields)


def test_the_memory_that_counts_is_that_of_the_device_that_trains(tmp_path, monkeypatch):
    """Not the host's, where a GPU trains."""
    asked = []

    def refuse(_spec, _replicas, device):
        asked.append(device)
        raise UserError("too large")

    monkeypatch.setattr("impls.engine.train.check_memory", refuse)
    monkeypatch.setattr("impls.engine.train._Run._device", lambda _: "cuda")
    with pytest.raises(UserError, match="too large"):
        train("feedforward", spec_class("feedforward")(), Options(framework="torch", output=tmp_path))
    assert asked == ["cuda"]
