"""`compare` with real commits, worktrees and processes; only the clock and the work that it times are replaced."""

from __future__ import annotations

import json
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

from benchmarks.cli import main
from benchmarks.gate import compare, trees
from benchmarks.gate.trees import Failed, Tree
from tests.support.gate_settings import gate

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
    for name in ("__init__.py", "measure.py", "machine.py"):
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


def test_two_revisions_with_the_same_code_are_answered_at_once(run, monkeypatch, tmp_path):
    monkeypatch.setattr(trees, "measure", None)
    code, out, _ = run("old", "same", "--markdown", str(tmp_path / "page.md"), "--save", str(tmp_path / "saved.json"))
    words = f"not slower     torch {NAME}  both sides have the same code in impls/: nothing was measured"
    assert (code, out.splitlines()[0]) == (0, words)
    assert "nothing was measured" in (tmp_path / "page.md").read_text()


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
