"""`limits`: ceilings, what is counted of a step, the page, and the plain loop beside the engine's step."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks import machine
from benchmarks.cases import CASES, PLAIN, Case
from benchmarks.cli import main
from benchmarks.measure import Training
from benchmarks.roofline import limits_page, machine_limits, measurements, plain_loop, processes
from impls.registry import FRAMEWORKS

SMALL = {"method": "dni", "depth": 3, "hidden_units": 8, "synthetic_gradient_units": 6, "batch_size": 16}
SMALL |= {"iterations": 100}  # so few that PyTorch's step is not captured, which takes a while


@pytest.fixture
def small(monkeypatch):
    """Ceilings at tiny shapes with hardly any repetitions, and a tiny case: all within seconds."""
    monkeypatch.setattr(machine_limits, "PRODUCTS", dict.fromkeys(["square", "another"], (4, 5, 6)))
    monkeypatch.setattr(machine_limits, "CONVOLUTIONS", {"one": (2, 6, 1, 3)})
    monkeypatch.setattr(machine_limits, "BYTES", (2**12, 2**14))
    monkeypatch.setattr(machine_limits, "BUDGET_SECONDS", 0)
    monkeypatch.setattr(machine_limits, "TRIAL_SECONDS", 0)
    monkeypatch.setattr(measurements, "SECONDS", 0)
    monkeypatch.setitem(CASES, "feedforward/tiny/x2", Case("feedforward", SMALL, 3, 2))


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.slow("starts processes that measure")
def test_a_process_measures_ceilings_cases_and_plain_loops(monkeypatch, small, framework, capsys):
    """A case that fails does not stop the others."""
    monkeypatch.setitem(CASES, "feedforward/broken/x1", Case("feedforward", {"method": "none"}, 3, 1))
    monkeypatch.setitem(CASES, "feedforward/small_dni/x1", Case("feedforward", SMALL, 3, 1))
    names = ["feedforward/broken/x1", "feedforward/tiny/x2", "feedforward/small_dni/x1"]
    found = measurements.measure(framework, "cpu", "fp32", names, measurements.measure_case)
    assert found["cases"]["feedforward/broken/x1"]["error"].startswith("ValidationError: 1 validation error")
    row = found["cases"]["feedforward/tiny/x2"]
    assert row["record"]["case"]["replicas"] == 2 and row["record"]["seconds_per_step"] > 0
    assert row["operations_per_step"] == 2 * CASES["feedforward/tiny/x2"].spec().operations_per_step()
    assert len(found["ceilings"]) == 2, "before the cases and after them"
    for measured in found["ceilings"]:
        assert {(e["name"], e["replicas"]) for e in measured["products"]} >= {("square", 1), ("another", 3)}
        assert all(entry["operations_per_second"] > 0 for entry in measured["products"] + measured["convolutions"])
        assert [entry["bytes"] for entry in measured["memory"]] == [2**12, 2**14]
        assert measured["seconds_per_call"] > 0
    assert set(found["plain"]) == ({"feedforward/small_dni/x1"} if framework == "torch" else set())
    assert f"{framework}: 2 of 3, feedforward/tiny/x2: " in capsys.readouterr().err


@pytest.mark.slow("measures a case in another process")
def test_a_case_is_measured_in_a_process_of_its_own():
    row = measurements.in_own_process("feedforward/small_dni/x1", "jax", "fp32", "cpu")
    assert row["record"]["benchmark"] == "feedforward/small_dni/x1" and row["record"]["framework"] == "jax"
    assert row["bytes_per_step"] > 0 and len(row["record"]["seconds"]) >= 1
    with pytest.raises(RuntimeError, match="exit code 1, KeyError: 'nothing'"):
        measurements.in_own_process("nothing", "jax", "fp32", "cpu")


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


def measured_by(framework: str, rate: float, milliseconds: dict[str, float], plain=None, error=None, **record):
    """What one process of each case would have found: two ceilings, and rows of 1 GFLOP and 2 MB a step."""
    made_by = {"sources_sha256": "0", "machine": {"cpu": "a cpu"}, "versions": {framework: "1.0"}, "threads": 2}
    cases = {
        name: {
            "record": made_by | {"precision": "fp32", "seconds_per_step": ms / 1000} | record,
            "operations_per_step": 1e9,
            "bytes_per_step": 2e6,
        }
        for name, ms in milliseconds.items()
    }
    cases |= {"unlock/sparse/x1": {"error": error}} if error else {}
    entry = {"name": "a product", "shape": [4, 5, 6], "replicas": 1, "operations_per_second": rate}
    ceilings = {
        "products": [entry],
        "convolutions": [entry | {"name": "a convolution", "operations_per_second": rate / 2}],
        "memory": [{"bytes": 2**20, "bytes_per_second": 1e9}, {"bytes": 2**26, "bytes_per_second": 2e8}],
        "seconds_per_call": 5e-6,
    }
    slower = json.loads(json.dumps(ceilings))
    slower["products"][0]["operations_per_second"] /= 3
    return {"framework": framework, "cases": cases, "plain": plain or {}, "ceilings": [slower, ceilings]}


def found_by(
    framework: str, rate: float, milliseconds: dict[str, float], plain=None, error=None, spread=SPREAD, loads=({},)
):
    """What the processes would have found together, the last ones under `loads`."""
    found: dict = {}
    for factor, load in zip(spread, [*[{}] * (len(spread) - len(loads)), *loads], strict=True):
        times = {name: factor * ms for name, ms in milliseconds.items()}
        watch = SimpleNamespace(stop=lambda load=load: IDLE | load)
        rates = {name: factor * value for name, value in (plain or {}).items()}
        processes.add(found, framework, measured_by(framework, rate, times, rates, error), watch)
    return found[framework]


def test_the_page_holds_shares_and_plain_loops():
    small, many = PLAIN["feedforward/small_dni/x1"]
    found = {
        "torch": found_by("torch", 1e11, {small: 20.0, many: 40.0}, {small: 10.0}),
        "jax": found_by("jax", 4e11, {small: 2.5}),
    }
    page = limits_page.as_markdown(found, "commit abc", "fp32")
    # 1 GFLOP at 400 GFLOP/s is 2.5 ms, and 2 MB at 1 GB/s are 2 ms; the best rate is JAX's, for both.
    assert f"| {small} | torch | 1 | 2 | 2.5 | products | 20 | 19.9 to 20.1 | 12% | 50 |" in page
    assert f"| {small} | jax | 1 | 2 | 2.5 | products | 2.5 | 2.49 to 2.51 | 100% | 400 |" in page
    assert "Processes of each case: 3." in page
    assert f"| {small} | 10 | 50; 5.0 | 400; 40.0 |" in page
    assert f"| {many} | 10 | 250; 25.0 |  |" in page
    assert "| replicas of feedforward/small_dni, 1 to 10 | 10 | 2.0 |  |" in page and "T, 3 to 12" not in page
    assert "| a product | 4x5x6 | 1 | 100 | 400 |" in page, "the better of before and after"
    assert "5 us (torch, one operation)" in page
    assert "busy" not in page and "**failed**" not in page
    assert all(len(line) <= 120 for line in page.splitlines() if "|" not in line)


def test_what_memory_bounds_is_said_to_be():
    found = {"torch": found_by("torch", 1e12, {"two_network/dni/x1": 4.0})}
    page = limits_page.as_markdown(found, "commit abc", "fp32")
    assert "| two_network/dni/x1 | torch | 1 | 2 | 2 | memory | 4 | 3.98 to 4.02 | 50% | 250 |" in page
    assert "plain eager" not in page
    assert "grows" not in page


@pytest.mark.parametrize(
    ("spread", "cells"),
    [
        ((1.0, 0.996, 1.004), "| 61.7 | 61.5 to 61.9 | 3.2% | 16.2 |"),  # they agree to 1%
        ((1.0, 0.95, 1.04), "| 62 | 58.6 to 64.2 | 3.2% | 16 |"),
        ((1.0, 0.8, 1.2), "| 60 | 49.4 to 74 | 3.2% | 20 |"),
        ((1.0,), "| 61.7 | 61.7 to 61.7 | 3.2% | 16.2 |"),
    ],
)
def test_a_time_has_as_many_digits_as_its_processes_agree_on(spread, cells):
    found = {"torch": found_by("torch", 1e12, {"two_network/dni/x1": 61.7}, spread=spread)}
    assert f"| memory {cells}" in limits_page.as_markdown(found, "commit abc", "fp32")


def test_a_busy_machine_and_a_failure_are_seen_first():
    loads = ({"others": 0.7}, {"load_average": 2.5})  # of two processes; the worst of each counts
    found = {"torch": found_by("torch", 1e12, {"two_network/dni/x1": 4.0}, error="ValueError: no", loads=loads)}
    page = limits_page.as_markdown(found, "commit abc", "fp32")
    assert "At most: load average 2.50; shares of the cores: others 70%, steal 0%" in page
    head = page.split("## ")[0]
    assert "**The machine was busy" in head and "**failed**: torch unlock/sparse/x1: ValueError: no" in head
    assert "| unlock/sparse/x1 | torch |  |  |  |  | failed |  |  |  |" in page


@pytest.mark.parametrize(("pattern", "written"), [("*", True), ("two_network/*", False)])
def test_only_the_whole_list_is_written_to_the_page_of_the_repository(monkeypatch, tmp_path, capsys, pattern, written):
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine.Watch, "stop", lambda _: IDLE)
    measured = measured_by("torch", 1e12, {"two_network/dni/x1": 4.0})
    asked = []
    monkeypatch.setattr(limits_page, "_measured", lambda framework, options: asked.append(framework) or measured)
    assert main(["limits", "--framework", "torch", "--cases", pattern, "--processes", "2"]) == 0
    assert asked == ["torch"] * 2
    assert (tmp_path / limits_page.PAGE).exists() == written
    assert "# Share of the machine's limit" in capsys.readouterr().out
    measured["cases"]["unlock/sparse/x1"] = {"error": "no"}
    assert main(["limits", "--framework", "torch", "--cases", pattern]) == 1


def test_processes_are_added_to_those_of_an_earlier_call(monkeypatch, tmp_path, capsys):
    """The frameworks take turns; what is complete is on the page at once; other code is refused."""
    monkeypatch.setattr(machine.Watch, "stop", lambda _: IDLE)
    page, asked = tmp_path / "page.md", []
    record = {"sources_sha256": "0"}

    def measured(framework, options):
        asked.append(framework)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return measured_by(framework, 1e12, {"two_network/dni/x1": 4.0}, **record)

    monkeypatch.setattr(limits_page, "_measured", measured)
    flags = ["limits", "--output", str(page)]
    assert main(flags) == 130
    assert asked == ["torch", "jax"] * 2
    assert "Processes of each case: 1." in page.read_text()
    assert main([*flags, "--resume", "--processes", "2"]) == 0
    assert "Processes of each case: 3." in page.read_text()
    before, record["sources_sha256"] = page.read_bytes(), "1"
    assert main([*flags, "--resume"]) == 4
    assert (
        "torch was measured before with a different sources_sha256: begin without --resume" in capsys.readouterr().err
    )
    assert page.read_bytes() == before
    for damaged in ("[", "[]", '{"comparisons": []}'):  # cut short, and of another command
        page.with_suffix(".json").write_text(damaged)
        assert main([*flags, "--resume"]) == 4
        assert "is not a file of limits" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--cases", "feedfoward/dni/x1"], "no case matches 'feedfoward/dni/x1'. There are: feedforward/dni/x1"),
        (["--output", "nowhere/page.md"], "there is no folder nowhere"),
        (["--processes", "0"], "--processes must be at least 1"),
        (["--resume", "--output", "docs/none.md"], "--resume: there is no docs/none.json to continue"),
        (["--resume", "--cases", "unlock/*"], "--resume needs --output"),
    ],
)
def test_a_mistake_is_one_line(flags, message, capsys):
    assert main(["limits", *flags]) == 4
    assert capsys.readouterr().err.startswith(f"error: {message}")


def test_a_process_that_dies_is_told_of(monkeypatch, capsys):
    monkeypatch.setattr(limits_page, "_code", str)
    monkeypatch.setattr(limits_page.subprocess, "run", lambda command: SimpleNamespace(returncode=7))
    assert main(["limits", "--cases", "two_network/*"]) == 4
    assert "measuring torch ended with exit code 7" in capsys.readouterr().err


PLAIN_SPECS = {
    "feedforward/small_dni/x1": SMALL | {"learning_rate": 3e-3, "adam_epsilon": 1e-6},
    "recurrent/copy_bptt/x1": {"dataset": "copy", "method": "bptt", "hidden_units": 8, "batch_size": 6}
    | {"learning_rate": 3e-3, "adam_epsilon": 1e-6},
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
