"""`gpu-check`: what it concludes from its processes' findings, that a failure stops one part only, what it writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import machine
from benchmarks.cases import Case
from benchmarks.cli import main
from benchmarks.gpu import busy_time, gpu_check, timing_process
from benchmarks.gpu.timing_process import METHODS, PARTS, GpuOnly, OutOfTime, Timings, whole_table
from impls.registry import FRAMEWORKS


def timings_found(ratio: float = 2.0) -> dict:
    """What a process finds on a GPU, part by part."""
    table = whole_table({(depth, method): 0.001 * depth for depth in (3, 6) for method in METHODS})
    found = {
        "rates": {"fp32": {"square": 5e13}, "tf32": {"square": 4e14}, "bf16": {"square": 8e14, "M": 1e14}},
        "replicas": {"dni": {"one": 0.001, "many": 0.001 * ratio, "ratio": ratio}},
        "table": table,
        "gaps": {"a": {"seconds_per_step": 0.002, "kernel_seconds_per_step": 0.0015, "gap_share": 0.25}},
        "variants": {"a": {"scan": {"seconds_per_step": 0.003, "compile_seconds": 4.0}}},
        "bound": {"text, bf16": {"precision": "bf16", "seconds_per_step": 0.01, "operations_per_second": 2e14}},
    }
    return {part: {"found": value, "seconds": 1.0} for part, value in found.items()}


@pytest.fixture
def check(monkeypatch, tmp_path, capsys):
    """Run the command with its processes replaced; returns the exit code, the JSON and what was printed."""

    def run(*flags: str, tests: dict | None = None, timings: dict | None = None, device: str = "cuda"):
        asked = []
        monkeypatch.setattr(
            gpu_check,
            "correctness",
            lambda fs, d, s: asked.append((fs, d, s)) or {f: tests or {"passed": 33} for f in fs},
        )
        monkeypatch.setattr(gpu_check, "timings", lambda *a: asked.append(a) or timings or timings_found())
        monkeypatch.setattr(machine, "gpu_conditions", lambda: {})
        code = main(["gpu-check", "--device", device, "--output", str(tmp_path / "out"), *flags])
        found = json.loads((tmp_path / "out" / "gpu-check.json").read_text())
        page = (tmp_path / "out" / "gpu-check.md").read_text()
        assert page in capsys.readouterr().out
        return SimpleNamespace(code=code, found=found, page=page, asked=asked)

    return run


def test_all_well_is_said_with_every_number(check):
    done = check()
    assert done.code == 0 and "### GPU check: no problems" in done.page
    assert [entry[0] for entry in done.asked] == [("torch", "jax"), "torch", "jax"], "correctness first"
    for text in (
        "jax: fast path equals the plain loop in 33 tests",
        "replicas, MNIST fcn, depth 4, dni: 1 ms a step for one, 2 for all, 2.00 times (at most 4)",
        "the 16 cells of the MNIST fcn table, 500,000 iterations: 10.0 hours, 8 of them from their neighbours",
        "50 TFLOP/s in fp32, 400 TFLOP/s in tf32, 800 TFLOP/s in bf16",
        "text, bf16: 10 ms, 200 TFLOP/s, 25% of the measured rate",
        "gaps, a: 2 ms a step, of which kernels run 1.5 ms, gaps 25%",
        "ways to run a: scan 3 ms (compiled in 4 s)",
        "| depth 4, dni | 4 | 0.56 | from its neighbours |",
    ):
        assert text in done.page
    assert set(done.found["timings"]["jax"]) == set(PARTS)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"tests": {"passed": 32, "error": "FAILED a test"}}, "torch: fast path against plain loop: FAILED a test"),
        ({"tests": {"passed": 0}}, "jax: fast path against plain loop: no test ran"),
        ({"timings": timings_found(4.0)}, "torch: dni: 20 replicas take 4.0 times as long as one"),
        ({"timings": timings_found() | {"gaps": {"error": "RuntimeError: no"}}}, "jax: gaps: RuntimeError: no"),
    ],
)
def test_a_problem_is_said_first_and_ends_with_1(check, given, problem):
    done = check(**given)
    assert done.code == 1
    assert f"- **problem**: {problem}" in done.page
    assert done.page.index("problem") < done.page.index("#### torch")


def test_on_a_cpu_the_same_is_run_and_said_to_mean_nothing(check):
    done = check(
        "--parts", "rates", "gaps", device="cpu", timings={"gaps": {"left_out": "gaps between kernels: only on a GPU"}}
    )
    assert done.code == 0 and "the times are meaningless" in done.page
    assert "gaps: left out, gaps between kernels: only on a GPU" in done.page
    assert [entry[2] for entry in done.asked] == [("rates", "gaps")] * 2 and done.found["correctness"] == {}


@pytest.mark.parametrize(("parts", "share"), [(["correctness"], 1.0), (["correctness", "rates"], 0.4)])
def test_correctness_alone_has_all_the_time(check, parts, share):
    [(_, _, seconds), *_] = check("--parts", *parts, "--minutes", "10").asked
    assert seconds == pytest.approx(600 * share, abs=10)


def test_no_time_at_all_is_a_mistake(capsys):
    assert main(["gpu-check", "--minutes", "0"]) == 4
    assert "--minutes must be more than 0" in capsys.readouterr().err


def test_the_tests_that_are_picked_are_the_ladders_fast_path_by_framework(monkeypatch):
    ladder = (gpu_check.ROOT / gpu_check.LADDER).read_text()
    assert len(re.findall(r"^def test_\w*fast_path", ladder, re.MULTILINE)) == 1
    commands = []
    outputs = {
        "torch": (0, "33 passed, 200 deselected in 9.1s\n"),
        "jax": (1, "FAILED tests/a[jax-x] - no\nERROR tests/b\n1 failed, 30 passed, 1 error in 9.1s\n"),
    }
    monkeypatch.setattr(
        gpu_check,
        "run_within",
        lambda given, _: commands.extend(given) or [(*outputs[framework], 9.1) for framework in FRAMEWORKS],
    )
    found = gpu_check.correctness(FRAMEWORKS, "cuda", 60)
    assert found["torch"]["passed"] == 33 and "error" not in found["torch"]
    assert (found["jax"]["passed"], found["jax"]["error"]) == (30, "FAILED tests/a[jax-x] - no; ERROR tests/b")
    for framework, command in zip(FRAMEWORKS, commands, strict=True):
        assert command[command.index("-k") + 1] == f"fast_path and {framework}"
        assert command[command.index("--device") + 1] == "cuda" and (gpu_check.ROOT / gpu_check.LADDER).is_file()
    monkeypatch.setattr(gpu_check, "run_within", lambda *_: [(None, "", 60.0)])
    assert gpu_check.correctness(["torch"], "cuda", 60)["torch"]["error"] == "not finished after 60 s"


def test_parts_that_a_process_did_not_reach_are_missing(monkeypatch):
    """The parts that it finished are kept."""

    def run_within(commands: list[list[str]], seconds: float) -> list[tuple[int | None, str, float]]:
        [command] = commands
        Path(command[command.index("--output") + 1]).write_text(json.dumps({"rates": {"found": {}}}))
        return [(None, "", seconds) if seconds < 50 else (1, "some text\nerror: torch finds no GPU\n", 1.0)]

    monkeypatch.setattr(gpu_check, "run_within", run_within)
    for seconds, message in (
        (10, "not finished when the time ran out"),
        (90, "the process ended: error: torch finds no GPU"),
    ):
        assert gpu_check.timings("torch", "cuda", ("rates", "table"), seconds) == {
            "rates": {"found": {}},
            "table": {"error": message},
        }


def test_a_command_is_ended_with_its_children_when_its_time_is_over(capfd):
    """The child holds the pipe open, so reading it ends early only if the child is ended too."""
    code = "import subprocess, sys; print('begun', flush=True); subprocess.run(['sleep', '60'])"
    started = time.monotonic()
    programs = [[sys.executable, "-c", text] for text in (code, "print('a'); exit(3)")]
    hangs, fails = gpu_check.run_within(programs, 3)
    assert time.monotonic() - started < 30
    assert (hangs[:2], fails[:2]) == ((None, "begun\n"), (3, "a\n"))
    assert "begun" in capfd.readouterr().err


def test_one_part_that_fails_costs_no_other(capsys):
    def fails() -> dict:
        raise ValueError("first line\nsecond")

    def needs_a_gpu() -> dict:
        raise GpuOnly("kernels")

    parts = {"rates": fails, "gaps": needs_a_gpu, "table": lambda: {"x": 1}}
    fake = SimpleNamespace(framework="torch", deadline=time.monotonic() + 99, check_time=lambda: None, **parts)
    kept = []
    timing_process.run(fake, tuple(parts), lambda found: kept.append(json.loads(json.dumps(found))))
    assert [len(found) for found in kept] == [1, 2, 3], "kept after each"
    assert kept[-1]["rates"]["error"] == "ValueError: first line"
    assert kept[-1]["gaps"]["left_out"] == "kernels: only on a GPU"
    assert kept[-1]["table"]["found"] == {"x": 1} and "cut_short" not in kept[-1]["table"]
    assert "Traceback" in capsys.readouterr().err


def test_a_part_has_its_share_of_the_time(monkeypatch):
    """When that is over, the part keeps what it has found."""
    timings = Timings("torch", "cpu", time.monotonic() + 180)
    deadlines = {}

    def time_case(name: str, case: Case, precision: str = "fp32") -> dict:
        timings.deadline = 0  # no time is left from now on
        return {"seconds_per_step": 1.0}

    monkeypatch.setattr(timings, "time_case", time_case)
    monkeypatch.setattr(timings, "rates", lambda: deadlines.update(rates=timings.deadline - time.monotonic()) or {})
    kept = []
    timing_process.run(timings, ("rates", "bound", "table"), kept.append)
    assert deadlines["rates"] == pytest.approx(180 / 12, abs=1)
    assert len(kept[-1]["bound"]["found"]) == 1 and kept[-1]["bound"]["cut_short"]
    assert len(kept[-1]["table"]["found"]) == 16 and "cut_short" not in kept[-1]["table"]
    found = {"correctness": {}, "timings": {"torch": kept[-1]}, "device": "cuda"}
    assert gpu_check.problems(found) == ["torch: bound: not finished when its time ran out"]


def test_cells_between_measured_depths_lie_on_their_line():
    measured = {(3, method): 0.3 for method in METHODS} | {(6, method): 0.6 for method in METHODS} | {(4, "dni"): 0.9}
    found = whole_table(measured)
    assert len(found) == 16
    assert found["depth 4, dni"] == {"seconds_per_step": 0.9, "between": False, "hours": 125.0}
    assert found["depth 5, dni"]["seconds_per_step"] == pytest.approx(0.75)
    assert found["depth 4, bprop"]["seconds_per_step"] == pytest.approx(0.4) and found["depth 4, bprop"]["between"]


def test_the_table_takes_what_the_budget_allows(monkeypatch):
    """But it needs the smallest and the largest depth of every method, and is out of time without them."""
    timings = Timings("torch", "cpu", deadline=0)
    left = iter(range(9))

    def time_case(name: str, case: Case, precision: str = "fp32") -> dict:
        if next(left, None) is None:
            raise OutOfTime("over")
        return {"seconds_per_step": 0.001 * case.fields["depth"]}

    monkeypatch.setattr(timings, "time_case", time_case)
    found = timings.table()
    assert sum(cell["between"] for cell in found.values()) == 16 - 9
    left = iter(range(7))
    with pytest.raises(OutOfTime):
        timings.table()


@pytest.mark.slow("compiles several cells in three precisions")
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_parts_run_on_a_cpu(monkeypatch, framework):
    """With tiny cells. The programs are those that run on a GPU, except for `gaps`."""
    tiny = {"iterations": 100, "hidden_units": 8, "synthetic_gradient_units": 6, "batch_size": 8}
    made = []

    def training(self, name, case, precision="fp32"):
        made.append((name, precision))
        small = Case(
            case.experiment,
            case.fields | tiny,
            case.steps,
            case.replicas,
        )
        return timing_process.Training(name, framework, precision, "cpu", small)

    monkeypatch.setattr(Timings, "training", training)
    monkeypatch.setattr(timing_process, "BOUND", {"text": timing_process.BOUND["text, LSTM 1024, bptt"]})
    monkeypatch.setattr(timing_process, "RATES", ("MNIST M, first layer",))
    timings = Timings(framework, "cpu", time.monotonic() + 600)
    kept = []
    timing_process.run(timings, ("rates", "replicas", "gaps", "bound"), kept.append)
    found = kept[-1]
    assert found["gaps"]["left_out"] and not [part for part in found.values() if "error" in part]
    assert set(found["rates"]["found"]) == {"fp32", "tf32", "bf16"}
    assert found["replicas"]["found"]["dni"]["ratio"] > 0
    assert {precision for _, precision in made} == {"fp32", "tf32", "bf16"}
    assert [name for name, _ in made].count("depth 4, dni, x1") == 1
    timings.deadline = 0
    with pytest.raises(OutOfTime):
        timings.table_cell(6, "bprop", 1)


def test_busy_time_is_that_of_the_union_of_what_ran():
    assert busy_time.covered([(5, 6), (0, 2), (1, 3), (2.5, 2.6)]) == 4
    assert busy_time.covered([]) == 0


def test_what_jax_profiled_can_be_read(tmp_path):
    import jax

    with jax.profiler.trace(str(tmp_path)):
        jax.numpy.ones(10).sum().block_until_ready()
    events = busy_time._stream_events(tmp_path, "/host:CPU", "")
    assert events and busy_time.covered(events) > 0
    with pytest.raises(RuntimeError, match="recorded nothing"), busy_time.under_jax():
        pass


def test_the_gpus_clocks_are_watched_and_reasons_put_into_words(monkeypatch, tmp_path):
    program = tmp_path / "nvidia-smi"
    # It knows only the newer name of the last reading.
    program.write_text(
        '#!/bin/sh\ncase "$*" in *throttle*) exit 2;; esac\n'
        'echo "1$(ls | wc -l)00, 2600, 40, [N/A], 0x0000000000000044"; touch "reading$(ls | wc -l)"\n'
    )
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    log = machine.ClockLog(seconds=0.01)
    while len(log.seen) < 3:
        time.sleep(0.01)
    found = log.stop()
    low, high = found["ranges"]["clocks.sm"]
    assert low < high and found["ranges"]["clocks.mem"] == [2600, 2600] and "power.draw" not in found["ranges"]
    assert found["throttled"] == ["power cap", "heat (hardware)"] and found["readings"] >= 3
    assert machine.throttle_reasons("0x0000000000001001") == ["idle", "0x1000"]
    assert machine.throttle_reasons("[N/A]") == ["[N/A]"]


def test_importing_the_command_needs_no_framework():
    code = "import sys, benchmarks.cli; print({'torch', 'jax'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert re.search(r"^set\(\)$", result.stdout, re.MULTILINE)
