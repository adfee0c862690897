"""`limits`: ceilings, what is counted of a step, the page, and the plain loop beside the engine's step.

test_resuming.py tests the order of the processes, and that each result is kept.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from benchmarks.cases import CASES, PLAIN, Case
from benchmarks.measure import Training
from benchmarks.roofline import history, limits_page, machine_limits, measurements, plain_loop
from impls.registry import FRAMEWORKS

SMALL = {"method": "dni", "depth": 3, "hidden_units": 8, "synthetic_gradient_units": 6, "batch_size": 16}
SMALL |= {"iterations": 100}  # so few that PyTorch's step is not captured, which takes a while

TINY = Case("feedforward", SMALL, 3, 2)


@pytest.fixture
def small(monkeypatch):
    """Ceilings at tiny shapes with hardly any repetitions, and a tiny case: all within seconds."""
    monkeypatch.setattr(machine_limits, "PRODUCTS", dict.fromkeys(["square", "another"], (4, 5, 6)))
    monkeypatch.setattr(machine_limits, "CONVOLUTIONS", {"one": (2, 6, 1, 3)})
    monkeypatch.setattr(machine_limits, "BYTES", (2**12, 2**14))
    monkeypatch.setattr(machine_limits, "BUDGET_SECONDS", 0)
    monkeypatch.setattr(machine_limits, "TRIAL_SECONDS", 0)
    monkeypatch.setattr(measurements, "SECONDS", 0)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.slow("measures")
def test_a_process_measures_ceilings_or_a_case_or_a_plain_loop(monkeypatch, small, framework):
    measured = measurements.measure("ceilings", framework, "fp32", "cpu")["ceilings"]
    assert {(e["name"], e["replicas"]) for e in measured["products"]} >= {("square", 1), ("another", 3)}
    assert all(entry["operations_per_second"] > 0 for entry in measured["products"] + measured["convolutions"])
    assert [entry["bytes"] for entry in measured["memory"]] == [2**12, 2**14]
    assert measured["seconds_per_call"] > 0
    row = measurements.measure(TINY, framework, "fp32", "cpu")
    assert row["operations_per_step"] == 2 * TINY.spec().operations_per_step()
    assert row["seconds_per_step"] > 0 and row["bytes_per_step"] > 0
    assert row["made_by"]["versions"][framework] and row["made_by"]["machine"]["device"] == "cpu"
    if framework == "torch":
        monkeypatch.setitem(CASES, "feedforward/small_dni/x1", Case("feedforward", SMALL, 3, 1))
        assert measurements.measure("feedforward/small_dni/x1", "torch", "fp32", "cpu")["rate"] > 0


@pytest.mark.slow("measures a case in another process")
def test_a_case_is_measured_in_a_process_of_its_own():
    row = measurements.in_own_process(TINY, "jax", "fp32", "cpu")
    assert row["operations_per_step"] == 2 * TINY.spec().operations_per_step()
    with pytest.raises(RuntimeError, match=r"exit code 1, .*nothing"):
        measurements.in_own_process(Case("nothing", {}, 3, 1), "jax", "fp32", "cpu")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_each_precision_mode_is_measured_in_that_mode(framework):
    """JAX caches compiled programs by function, and must not use the program of another precision mode."""
    products = {}
    for precision in ("fp32", "tf32", "bf16", "fp32"):
        at = machine_limits.Bench(framework, precision=precision)
        with at.engine.precision_mode(precision):
            products[precision] = np.asarray(at.compiled(at.ops.matmul)(at.array(1, 8, 9), at.array(1, 9, 5)))
    assert np.abs(products["bf16"] - products["fp32"]).max() > 1e-3


def test_the_rate_of_memory_is_that_of_arrays_large_enough():
    memory = [{"bytes": size, "bytes_per_second": rate} for size, rate in ((100, 50.0), (1000, 9.0), (10_000, 10.0))]
    assert machine_limits.bytes_per_second({"memory": memory}, 150) == 50
    assert machine_limits.bytes_per_second({"memory": memory}, 201) == 10, "a smaller one may be in a cache"
    assert machine_limits.bytes_per_second({"memory": memory}, 1e9) == 10


def test_bytes_moved_by_a_step():
    """What a step changes counts twice (read and written), what it only reads counts once, and its inputs are added."""
    before = {
        "parameters.trained": np.zeros(10, np.float32),
        "parameters.frozen": np.zeros(7, np.float32),
        "adam.m.trained": np.zeros(10, np.float32),
        "adam.m.frozen": np.zeros(7, np.float32),
    }
    after = before | {name: before[name] + 1 for name in ("parameters.trained", "adam.m.trained")}
    block = {"indices": np.zeros((5, 1, 3), np.int32), "learning_rate": np.zeros(5)}
    data = {"inputs": np.zeros((4, 28, 28), np.uint8)}
    expected = 2 * 4 * (10 + 10) + 4 * 7 + (3 * 4 + 8) + 3 * 784
    assert measurements.bytes_per_step(before, after, block, data) == expected


IDLE = {"load_average": 0.1, "steal": 0.0, "others": 0.01}
SPREAD = (1.0, 0.996, 1.004)  # of a case's processes, about their median


def found_by(
    framework: str, rate: float, milliseconds: dict[str, float], plain=None, error=None, spread=SPREAD, loads=({},)
):
    """What the processes would have found: two ceilings each, and rows of 1 GFLOP and 2 MB a step."""
    made_by = {"sources_sha256": "0", "machine": {"cpu": "a cpu"}, "versions": {framework: "1.0"}, "threads": 2}
    entry = {"name": "a product", "shape": [4, 5, 6], "replicas": 1, "operations_per_second": rate}
    ceilings = {
        "products": [entry],
        "convolutions": [entry | {"name": "a convolution", "operations_per_second": rate / 2}],
        "memory": [{"bytes": 2**20, "bytes_per_second": 1e9}, {"bytes": 2**26, "bytes_per_second": 2e8}],
        "seconds_per_call": 5e-6,
    }
    slower = json.loads(json.dumps(ceilings))
    slower["products"][0]["operations_per_second"] /= 3
    counts = {"operations_per_step": 1e9, "bytes_per_step": 2e6}
    cases = {
        name: counts | {"seconds_per_step": [factor * ms / 1000 for factor in spread]}
        for name, ms in milliseconds.items()
    }
    return {
        "made_by": made_by | {"precision": "fp32"},
        "ceilings": [slower, ceilings] * len(spread),
        "watched": [IDLE | load for load in loads],
        "cases": cases | ({"unlock/sparse/x1": {"error": error}} if error else {}),
        "plain": {name: [factor * value for factor in spread] for name, value in (plain or {}).items()},
    }


def page_of(found: dict, **more) -> str:
    """The page of these results."""
    state = {"begun": "1", "date": "2026-11-27", "commit": "abc", "precision": "fp32", "frameworks": found}
    return limits_page.as_markdown(state | more)


def test_the_page_holds_shares_and_plain_loops():
    small, many = PLAIN["feedforward/small_dni/x1"]
    found = {
        "torch": found_by("torch", 1e11, {small: 20.0, many: 40.0}, {small: 10.0}),
        "jax": found_by("jax", 4e11, {small: 2.5}),
    }
    page = page_of(found)
    # 1 GFLOP at 400 GFLOP/s is 2.5 ms, and 2 MB at 1 GB/s are 2 ms; the best rate is JAX's, for both.
    assert f"| {small} | torch | 1 | 2 | 2.5 | products | 20.0 | 19.9 to 20.1 | 12% | 50.0 |" in page
    assert f"| {small} | jax | 1 | 2 | 2.5 | products | 2.50 | 2.49 to 2.51 | 100% | 400 |" in page
    assert "Processes of each case: 3." in page
    assert f"| {small} | 10.0 | 50.0; 5.0 | 400; 40.0 |" in page
    assert f"| {many} | 10.0 | 250; 25.0 |  |" in page
    assert "| replicas of feedforward/small_dni, 1 to 10 | 10 | 2.0 |  |" in page and "T, 3 to 12" not in page
    assert "| a product | 4x5x6 | 1 | 100 | 400 |" in page, "the better of before and after"
    assert "5 us (torch, one operation)" in page
    assert "busy" not in page and "**failed**" not in page
    assert all(len(line) <= 120 for line in page.splitlines() if "|" not in line)


def test_what_memory_bounds_is_said_to_be():
    found = {"torch": found_by("torch", 1e12, {"two_network/dni/x1": 4.0})}
    page = page_of(found)
    assert "| two_network/dni/x1 | torch | 1 | 2 | 2 | memory | 4.00 | 3.98 to 4.02 | 50% | 250 |" in page
    assert "plain eager" not in page
    assert "grows" not in page


@pytest.mark.parametrize(
    ("spread", "cells"),
    [
        ((1.0, 0.996, 1.004), "| 61.7 | 61.5 to 61.9 | 3.2% | 16.2 |"),
        ((1.0, 0.95, 1.04), "| 61.7 | 58.6 to 64.2 | 3.2% | 16.2 |"),
        ((1.0, 0.8, 1.2), "| 62 | 49 to 74 | 3.2% | 16.2 |"),
        ((1.0,), "| 61.7 | 61.7 to 61.7 | 3.2% | 16.2 |"),
    ],
)
def test_a_time_has_the_digits_that_its_range_justifies(spread, cells):
    found = {"torch": found_by("torch", 1e12, {"two_network/dni/x1": 61.7}, spread=spread)}
    assert f"| memory {cells}" in page_of(found)


def test_a_busy_machine_and_a_failure_are_seen_first():
    loads = ({"others": 0.7}, {"load_average": 2.5})  # of two processes; the worst of each counts
    found = {"torch": found_by("torch", 1e12, {"two_network/dni/x1": 4.0}, error="ValueError: no", loads=loads)}
    page = page_of(found)
    assert "At most: load average 2.50; shares of the cores: others 70%, steal 0%" in page
    head = page.split("## ")[0]
    assert "**The machine was busy" in head and "**failed**: torch unlock/sparse/x1: ValueError: no" in head
    assert "| unlock/sparse/x1 | torch |  |  |  |  | failed |  |  |  |" in page


def test_each_measuring_has_a_line_in_the_history():
    """The seconds at the limit are kept, because the next measuring finds other limits."""
    chosen = history.CHOSEN[0]
    found = {"torch": found_by("torch", 1e11, {chosen: 20.0}), "jax": found_by("jax", 4e11, {chosen: 2.5})}
    state = {"begun": "1", "date": "2026-11-27", "commit": "abc", "frameworks": found}
    first = history.line_of(state)
    second = history.line_of(state | {"begun": "2", "date": "2026-12-01", "commit": "def"})
    lines = history.with_line(history.with_line([], first), second)
    page = page_of(found, history=lines)
    for date, commit in (("2026-11-27", "abc"), ("2026-12-01", "def")):
        assert f"| {date} | {commit} | a cpu | torch | 20.0; 12% |  |  |  |  |" in page
        assert f"| {date} | {commit} | a cpu | jax | 2.50; 100% |  |  |  |  |" in page
    again = history.with_line(lines, second | {"commit": "ghi"})
    assert [line["commit"] for line in again] == ["abc", "ghi"], "the same measuring, resumed"
    assert "## History" not in page_of(found)


PLAIN_SPECS = {
    "feedforward/small_dni/x1": SMALL | {"learning_rate": 3e-3, "adam_epsilon": 1e-6},
    "recurrent/copy_bptt/x1": {"dataset": "copy", "method": "bptt", "hidden_units": 8, "batch_size": 6}
    | {"learning_rate": 3e-3, "adam_epsilon": 1e-6, "iterations": 100},
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.slow("trains the sizes of benchmarks")
def test_the_plain_loop_trains_what_the_engine_trains(name):
    """Every parameter is compared, in float64, over five iterations."""
    case = Case(CASES[name].experiment, PLAIN_SPECS[name], 5, 1)
    training = Training(name, "torch", "fp64", "cpu", case)
    spec, start = case.spec(), training.runner.leaves()
    net, calls = plain_loop.prepared(spec, case.splits(), training.block, torch.float64, "cpu")
    for call in calls:
        assert torch.isfinite(call())
    training.launch()
    ours = training.runner.leaves()
    theirs = plain_parameters(net)
    names = [path for path in ours if path.startswith("parameters.")]
    assert sorted(value.size for value in theirs) == sorted(ours[path].size for path in names)
    assert any(np.abs(ours[path] - start[path]).max() > 1e-3 for path in names)
    for path in names:
        value = ours[path][0]
        near = [other for other in theirs if other.shape == value.shape and np.abs(other - value).max() < 1e-9]
        assert near, f"no parameter of the plain net is {path}"


def plain_parameters(net) -> list[np.ndarray]:
    """With weights as the spec has them, inputs first."""
    return [value.detach().numpy().T for value in net.modules.parameters()]
