"""`compare` and `calibrate` at work: with measuring replaced; and with processes and worktrees, but a fake clock."""

from __future__ import annotations

import copy
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import machine
from benchmarks.__main__ import main
from benchmarks.gate import compare, trees
from benchmarks.gate.calibrate import as_markdown
from benchmarks.gate.evidence import Comparison, Evidence
from benchmarks.gate.settings import Gate, read_gate
from benchmarks.gate.trees import Failed, Tree

RECORD = {
    "case": {},
    "machine": {"cpu": "a cpu"},
    "versions": {},
    "precision": "fp32",
    "threads": 1,
    "sources_sha256": "0",
    "model_steps_per_second": 1.0,
    "result": [1.0, 2.0],
}
IDLE, BUSY = {"steal": 0.0, "others": 0.0, "load_average": 0.1}, {"steal": 0.5, "others": 0.0, "load_average": 3.0}


def gate(**busy) -> Gate:
    """The gate's real settings, except for when the machine counts as busy."""
    content = read_gate().model_dump()
    return Gate(**content | {"busy": content["busy"] | busy})


class FakeMeasuring:
    """Replaces the measuring processes: log `slowdowns` by benchmark, which scatter by 1% from pair to pair."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, slowdowns: dict[str, float], watched: list[dict] | None = None):
        self.slowdowns, self.calls = slowdowns, []
        self.watched = iter(watched or [])
        monkeypatch.setattr(trees, "measure", self.measure)
        monkeypatch.setattr(machine.Watch, "stop", lambda _: next(self.watched, IDLE))

    def measure(self, tree: Tree, harness: Path, flags: list[str], minutes: float) -> dict:
        self.calls.append((tree.side, flags[0]))
        turn = self.calls.count((tree.side, flags[0]))
        slowdown = self.slowdowns[flags[0]] + 0.01 * math.sin(turn**2) if tree.side == "head" else 0.0
        if turn == 1:
            slowdown *= 50  # the first pair must not count
        return copy.deepcopy(RECORD) | {"seconds_per_step": 0.01 * math.exp(slowdown)}

    def run(self, *looks: int, gate: Gate | None = None) -> Comparison:
        base, head = (Tree(side, f"the {side}", Path()) for side in ("base", "head"))
        evidence = [Evidence(name, "torch") for name in self.slowdowns]
        return compare.run(base, head, evidence, gate or read_gate(), compare.Plan(list(looks), Path(), []))


def test_verdicts_come_at_looks_and_only_what_is_open_is_measured_on(monkeypatch, capsys):
    measuring = FakeMeasuring(monkeypatch, {"slow": 0.3, "same": 0.0, "close": math.log1p(0.03)})
    comparison = measuring.run(5, 10, 20)
    assert {e.benchmark: (e.word, len(e.head)) for e in comparison.evidence} == {
        "slow": ("slower", 5),
        "same": ("not slower", 5),
        "close": ("inconclusive", 20),
    }
    assert comparison.exit_code == 1
    assert all(len(e.pairs) == len(e.base) + 1 and not e.pairs[0]["counts"] for e in comparison.evidence)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == ["base: the base", "head: the head", "3 benchmarks, 5 to 20 pairs of processes each"]
    assert re.fullmatch(
        r"pair 1 of 5, torch slow: \+3\d\.\d%; 0 minutes to the next verdicts, 0 to the last at most", lines[6]
    )


def test_sides_and_benchmarks_take_turns(monkeypatch):
    measuring = FakeMeasuring(monkeypatch, {"a": 0.0, "b": 0.0})
    comparison = measuring.run(4)
    sides = [side for side, name in measuring.calls if name == "a"]
    assert sides == ["head", "base", "base", "head", "head", "base", "base", "head", "head", "base"]
    assert [name for _, name in measuring.calls] == ["a", "a", "b", "b"] * 5
    assert [pair["first"] for pair in comparison.evidence[0].pairs] == ["head", "base", "head", "base", "head"]


def test_a_pair_on_a_busy_machine_is_measured_again_up_to_a_cap(monkeypatch, capsys):
    # Pair 0 is not repeated; pair 1 is, once; pair 2 is measured three times and stays busy; pair 3 is calm.
    measuring = FakeMeasuring(monkeypatch, {"a": 0.0}, [BUSY, BUSY, IDLE, BUSY, BUSY, BUSY, IDLE])
    e = measuring.run(3, gate=gate(tries=3)).evidence[0]
    assert [len(pair["watched"]) for pair in e.pairs] == [1, 2, 3, 1]
    assert [pair["busy"] for pair in e.pairs] == [True, False, True, False]
    assert len(e.head) == 3 and len(measuring.calls) == 2 * 7
    assert "%, busy machine; " in capsys.readouterr().err.splitlines()[5]


def test_what_cannot_be_compared_is_dropped_with_its_reason(monkeypatch):
    """The other benchmarks are still measured."""
    measuring = FakeMeasuring(monkeypatch, {"broken": 0.0, "other": 0.0, "good": 0.0})
    measure = measuring.measure

    def failing(tree: Tree, harness: Path, flags: list[str], minutes: float) -> dict:
        record = measure(tree, harness, flags, minutes)
        if tree.side == "head" and flags[0] == "broken":
            raise Failed("head ended with exit code 1: no")
        if tree.side == "head" and flags[0] == "other" and len([c for c in measuring.calls if c[1] == "other"]) > 4:
            record["result"] = [1.0, 3.0]
        return record

    monkeypatch.setattr(trees, "measure", failing)
    comparison = measuring.run(5)
    assert [e.word for e in comparison.evidence] == ["not comparable", "not comparable", "not slower"]
    assert comparison.evidence[0].reason == "head ended with exit code 1: no" and not comparison.evidence[0].pairs
    assert (
        comparison.evidence[1].reason.startswith("result differs: by 0.45 of")
        and len(comparison.evidence[1].pairs) == 3
    )
    assert comparison.exit_code == 3


def test_the_calibrations_table(monkeypatch):
    """One comparison of each kind. The fake measuring returns exactly what is planted; noise is set by hand."""
    done = {}
    for planted in (0.0, 0.05, 0.10):
        done[planted] = [FakeMeasuring(monkeypatch, {"a": math.log1p(planted)}).run(8 if planted else 10)]
    rows = [line for line in as_markdown(done, "the tree", [10, 20]).splitlines() if line.startswith("|")]
    scatter = [0.01 * math.sin(turn**2) for turn in range(2, 12)]
    mean = sum(scatter) / 10
    noise = math.sqrt(sum((x - mean) ** 2 for x in scatter) / 9)
    assert rows[2] == (
        f"| torch a | 3% | {noise:.2%} | 0 of 10 | 0 slower, 1 not, 0 neither | 1 slower, 0 not, 0 neither | "
        "1 slower, 0 not, 0 neither |"
    )
    assert rows[3] == "| any of them |  |  |  | 0 of 1 with an alarm | 1 of 1 with an alarm | 1 of 1 with an alarm |"


# Below, all is real (a repository with commits, worktrees, processes) but the clock and the work that it times.

ENGINE = """
import os, pathlib, time

NOW = [0.0]


def tick():
    NOW[0] += 1e-6  # so that waiting for the clock ends
    return NOW[0]


time.perf_counter = tick


class Runner:
    compile_seconds = 0.0

    def __init__(self, implementation, spec, parameters, splits, **how):
        self.parameters = {name: value.copy() for name, value in parameters.items()}

    def advance(self, inputs):
        NOW[0] += SECONDS * len(inputs["learning_rate"])
        for value in self.parameters.values():
            value += CHANGE

    def leaves(self):
        return {f"parameters.{name}": value for name, value in self.parameters.items()}

    def peak_memory_bytes(self):
        return 1


def default_device():
    return "cpu"


def device_description(device):
    return {}
"""
HANG = "\npathlib.Path(os.environ['DNI_TEST_MARK']).touch()\ntime.sleep(100)\n"
NAME = "recurrent/tiny/x2"
TINY = '[("recurrent", "tiny", {"hidden_units": 5, "batch_size": 4}, 5, (2,))]'


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def repository(root: Path, tmp_path_factory) -> Path:
    """Tags: old (without benchmarks), same, slower, wrong, broken, hanging. The working tree is as slow as `slower`."""
    folder = tmp_path_factory.mktemp("repository")
    shutil.copytree(root / "impls", folder / "impls", ignore=shutil.ignore_patterns("__pycache__", "*.csv"))
    (folder / "impls/experiments/recurrent/torch_impl.py").write_text("")

    def commit(tag: str, seconds: float = 0.01, change: float = 1.0, more: str = "") -> None:
        engine = ENGINE.replace("SECONDS", str(seconds)).replace("CHANGE", str(change)) + more
        (folder / "impls/engine/torch_engine.py").write_text(engine)
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", tag)
        git(folder, "tag", tag)

    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text("__pycache__/\n")
    commit("old")
    (folder / "benchmarks").mkdir()
    for name in (
        "__init__.py",
        "measure.py",
        "machine.py",
        "roofline/__init__.py",
        "roofline/public_implementations.py",
    ):
        (folder / "benchmarks" / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / "benchmarks" / name, folder / "benchmarks" / name)
    cases = (root / "benchmarks" / "cases.py").read_text()
    text, found = re.subn(r"(?s)CELLS: (.*?) = \[\n.*?\n\]\n", rf"CELLS: \1 = {TINY}\n", cases)
    assert found == 1
    (folder / "benchmarks" / "cases.py").write_text(text)
    commit("same")
    commit("wrong", seconds=0.005, change=1.5)
    commit("broken", more="\nraise RuntimeError('out of order')\n")
    commit("hanging", more=HANG)
    (folder / "benchmarks" / "cases.py").write_text(text.replace('"tiny"', '"new"'))
    commit("renamed")
    (folder / "benchmarks" / "cases.py").write_text(text)
    commit("slower", seconds=0.012)
    return folder


@pytest.fixture
def run(repository: Path, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """`compare` in the repository with two pairs; returns exit code, output and errors; no worktree may be left."""
    monkeypatch.chdir(repository)
    monkeypatch.setattr(compare, "read_gate", lambda: gate(tries=1))

    def run(*arguments: str) -> tuple[int, str, str]:
        flags = ["--benchmarks", NAME, "--framework", "torch", "--pairs", "2", "--max-pairs", "2"]
        code = main(["compare", *arguments, *flags])
        assert len(git(repository, "worktree", "list").splitlines()) == 1
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.mark.slow("measures revisions in worktrees and processes of their own")
def test_a_slower_revision_is_found_and_saved(run, tmp_path, capsys):
    """BASE has no benchmarks: HEAD's harness measures both. The saved file gives the same verdict again."""
    code, out, err = run("old", "slower", "--save", str(tmp_path / "saved.json"))
    assert code == 1, err
    assert out.startswith(f"slower         torch {NAME}  +20.0% (+20.0% to +20.0%), 2 pairs")
    content = json.loads((tmp_path / "saved.json").read_text())
    assert [pair["first"] for pair in content["benchmarks"][0]["pairs"]] == ["head", "base", "head"]
    base, record = (content["benchmarks"][0]["pairs"][1][side] for side in ("base", "head"))
    assert base["sources_sha256"] != record["sources_sha256"]
    assert record["seconds_per_step"] == pytest.approx(0.012, rel=1e-3) and len(record["seconds"]) == 7
    assert record["model_steps_per_second"] == pytest.approx(2 / 0.012, rel=1e-3)
    assert record["warm_up_seconds"] == pytest.approx(5 * 0.012, rel=1e-3) and record["peak_memory_bytes"] == 1
    assert {"steal", "others", "load_average"} >= set(content["benchmarks"][0]["pairs"][1]["watched"][0])
    assert main(["compare", str(tmp_path / "saved.json"), str(tmp_path / "saved.json")]) == 1
    assert capsys.readouterr().out.splitlines()[0] == out.splitlines()[0]


@pytest.mark.slow("measures revisions in worktrees and processes of their own")
def test_the_working_tree_is_measured_as_it_is(run, repository, tmp_path, capsys):
    engine = repository / "impls/engine/torch_engine.py"
    committed = engine.read_text()
    try:
        engine.write_text(committed.replace("0.012", "0.006"))
        code, out, err = run("HEAD", ".")
        assert code == 0 and "-50.0%" in out and "head: the working tree . (" in err and "with changes)" in err
        assert "note: HEAD is the commit without the changes of the working tree" in err
        with trees.opened("old", "base", tmp_path / "old"):
            assert "note:" not in capsys.readouterr().err
    finally:
        engine.write_text(committed)


@pytest.mark.slow("measures revisions in worktrees and processes of their own")
@pytest.mark.parametrize(
    ("base", "head", "reason"),
    [
        ("renamed", "wrong", "result differs: by 0.5 of what training changed; the tolerance is 0.1"),
        ("renamed", "broken", "head ended with exit code 1: RuntimeError: out of order"),
        ("same", "renamed", "head has no such benchmark"),
    ],
)
def test_a_revision_that_cannot_be_compared(run, base, head, reason):
    """`wrong` is fast, but its result differs: no speed-up. `renamed`'s harness does not know the benchmark."""
    code, out, _ = run(base, head)
    assert code == 3 and out.splitlines()[0] == f"not comparable torch {NAME}  {reason}"


def test_what_another_tree_would_lend_is_refused(repository, root, tmp_path):
    """An installed `impls` could supply what the measured tree lacks. Here one is put on PYTHONPATH."""
    tree = tmp_path / "tree"
    shutil.copytree(repository / "impls", tree / "impls")
    lender = tmp_path / "lender" / "extra"
    lender.mkdir(parents=True)
    (lender / "lent.py").write_text("")
    with open(tree / "impls/__init__.py", "a") as file:
        file.write(f"\n__path__.append({str(lender)!r})\n")
    with open(tree / "impls/engine/torch_engine.py", "a") as file:
        file.write("\nimport impls.lent\n")
    harness = trees.harness_of(Tree("head", "", repository), tmp_path / "harness")
    with pytest.raises(
        Failed, match=r"base ended with exit code 1: ImportError: impls\.lent is not in the measured tree"
    ):
        trees.measure(Tree("base", "", tree), harness, [NAME, "--framework", "torch"], 1)


def test_a_process_that_takes_too_long_is_stopped(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("DNI_TEST_MARK", str(tmp_path / "mark"))
    git(repository, "worktree", "add", "--detach", str(tmp_path / "tree"), "hanging")
    try:
        tree = Tree("head", "", tmp_path / "tree")
        harness = trees.harness_of(tree, tmp_path / "harness")
        with pytest.raises(Failed, match=r"head took longer than 0\.02 minutes"):
            trees.measure(tree, harness, [NAME, "--framework", "torch"], 0.02)
    finally:
        git(repository, "worktree", "remove", "--force", str(tmp_path / "tree"))


@pytest.mark.slow("measures revisions in worktrees and processes of their own")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_leaves_nothing_behind(repository, root, tmp_path, number):
    """No worktree, folder or process may be left."""
    temporary, mark = tmp_path / "tmp", tmp_path / "mark"
    temporary.mkdir()
    ours = {"PYTHONPATH": str(root), "TMPDIR": str(temporary), "DNI_TEST_MARK": str(mark)}
    command = [sys.executable, "-P", "-m", "benchmarks", "compare", "same", "hanging", "--framework", "torch"]
    process = subprocess.Popen(command, cwd=repository, env=os.environ | ours, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 100
        while not mark.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(git(repository, "worktree", "list").splitlines()) == 3
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and err.endswith("stopped\n")
    assert len(git(repository, "worktree", "list").splitlines()) == 1 and not list(temporary.iterdir())
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.is_file()]
    assert not [command for command in commands if str(temporary).encode() in command]


def test_a_planted_slowdown_is_waited_for(repository, tmp_path, monkeypatch):
    """Measured by the clock that times the launches. A slowdown in the user's environment is ignored."""
    monkeypatch.setenv(trees.SLOWDOWN, "0.5")
    harness = trees.harness_of(Tree("head", "", repository), tmp_path / "harness")
    for planted in (None, "0.1"):
        tree = Tree("head", "", repository, {trees.SLOWDOWN: planted} if planted else {})
        record = trees.measure(tree, harness, [NAME, "--framework", "torch"], 1)
        assert record["seconds_per_step"] == pytest.approx(0.012 * (1 + float(planted or 0)), rel=1e-3)
    monkeypatch.setattr(trees, "SCHEMA", 2)
    with pytest.raises(Failed, match="records of another version"):
        trees.measure(tree, harness, [NAME, "--framework", "torch"], 1)


def test_calibration_plants_slowdowns_in_head_alone(root, tmp_path, monkeypatch):
    measuring = FakeMeasuring(monkeypatch, {"feedforward/dni/x1": 0.0})
    measure = measuring.measure

    def planting(tree: Tree, harness: Path, flags: list[str], minutes: float) -> dict:
        planted = float(tree.environment.get(trees.SLOWDOWN, 0))
        assert tree.path == root and not (planted and tree.side == "base")
        record = measure(tree, harness, flags, minutes)
        return record | {"seconds_per_step": record["seconds_per_step"] * (1 + planted)}

    monkeypatch.setattr(trees, "measure", planting)
    monkeypatch.chdir(root)
    flags = ["--framework", "torch", "--benchmarks", "feedforward/dni/x1", "--max-pairs", "10", "--repeats", "2"]
    assert main(["calibrate", *flags, "--output", str(tmp_path / "table.md")]) == 0
    row = next(line for line in (tmp_path / "table.md").read_text().splitlines() if "torch feedforward" in line)
    counts = ["0 slower, 4 not, 0 neither", "2 slower, 0 not, 0 neither", "2 slower, 0 not, 0 neither |"]
    assert row.split(" | ")[4:] == counts and " 0 of 40 " in row
    assert len(measuring.calls) == 2 * 4 * 2 * 11
    assert main(["calibrate", *flags, "--repeats", "0"]) == 4
