"""Pairs of `compare` and `calibrate` with replaced measurements: their order, their looks, and when they stop."""

from __future__ import annotations

import copy
import json
import math
import re
from pathlib import Path

import pytest

from benchmarks import machine
from benchmarks.cli import main
from benchmarks.gate import calibrate, compare, trees
from benchmarks.gate.evidence import Comparison, Evidence
from benchmarks.gate.settings import Gate, read_gate
from benchmarks.gate.trees import Failed, Tree
from tests.support.gate_settings import gate

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
    monkeypatch.setattr("sys.argv", ["x", "calibrate", "--benchmarks", "*/x1"])
    done = None
    for planted in (0.0, 0.05, 0.10):
        found = FakeMeasuring(monkeypatch, {"a": math.log1p(planted)}).run(8 if planted else 10)
        done = done or calibrate._started(found, [10, 20])
        done["comparisons"].append(calibrate._pairs(found, planted))
    page = calibrate.as_markdown(done)
    assert "python -m benchmarks calibrate --benchmarks '*/x1'  # 2" in page
    rows = [line for line in page.splitlines() if line.startswith("|")]
    scatter = [0.01 * math.sin(turn**2) for turn in range(2, 12)]
    mean = sum(scatter) / 10
    noise = math.sqrt(sum((x - mean) ** 2 for x in scatter) / 9)
    inner = sorted(scatter)
    inner = [inner[1], *inner[1:-1], inner[-2]]
    squares = sum((x - sum(inner) / 10) ** 2 for x in inner)
    winsorized = math.sqrt(squares / (8 * 7) * 10)
    assert rows[2] == (
        f"| torch a | 3% | 10 | 0 | {noise:.2%} | {winsorized:.2%} | 0 slower, 1 not, 0 neither | "
        "1 slower, 0 not, 0 neither | 1 slower, 0 not, 0 neither |"
    )
    # Exact bounds of one in one: 1 - 0.05 for none, 0.05 for one.
    found = "1 of 1 with an alarm (at least 5.0%)"
    assert rows[3] == f"| any of them |  |  |  |  |  | 0 of 1 with an alarm (at most 95.0%) | {found} | {found} |"


def test_bounds_of_counts_by_hand():
    """None of 40: (1 - p)^40 = 0.05. All of 20: p^20 = 0.05."""
    assert calibrate.bound(0, 40, upper=True) == pytest.approx(1 - 0.05 ** (1 / 40))
    assert calibrate.bound(20, 20, upper=False) == pytest.approx(0.05 ** (1 / 20))


def test_an_outlier_hardly_moves_winsorized_noise():
    calm = [0.01 * math.sin(turn**2) for turn in range(1, 21)]
    assert calibrate.winsorized([*calm[1:], 0.5]) < 1.3 * calibrate.winsorized(calm)


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
    page = (tmp_path / "table.md").read_text()
    row = next(line for line in page.splitlines() if "torch feedforward" in line)
    counts = ["0 slower, 4 not, 0 neither", "2 slower, 0 not, 0 neither", "2 slower, 0 not, 0 neither |"]
    assert row.split(" | ")[6:] == counts and " | 40 | 0 | " in row
    assert len(measuring.calls) == 2 * 4 * 2 * 11
    pairs = json.loads((tmp_path / "table.json").read_text())
    assert [c["planted"] for c in pairs["comparisons"]] == [0, 0.05, 0, 0.1] * 2
    first = pairs["comparisons"][1]["benchmarks"]["torch feedforward/dni/x1"]["pairs"]
    assert len(first) == 10 and all(math.log(head / base) > 0.02 and busy is False for base, head, busy in first)
    assert calibrate.as_markdown(pairs) == page
    assert main(["calibrate", *flags, "--repeats", "0"]) == 4


def test_a_calibration_goes_on(root, tmp_path, monkeypatch, capsys):
    """With --resume, where machine, benchmarks and rules are the same."""
    FakeMeasuring(monkeypatch, {"feedforward/dni/x1": 0.0})
    monkeypatch.chdir(root)
    flags = ["--framework", "torch", "--benchmarks", "feedforward/dni/x1", "--max-pairs", "10", "--repeats", "1"]
    flags += ["--output", str(tmp_path / "table.md")]
    assert main(["calibrate", *flags, "--resume"]) == 4 and "leave the flag out to begin" in capsys.readouterr().err
    for resume in ([], ["--resume"]):
        assert main(["calibrate", *flags, *resume]) == 0
    stored = json.loads((tmp_path / "table.json").read_text())
    assert len(stored["comparisons"]) == 8
    (tmp_path / "table.json").write_text(json.dumps(stored | {"looks": [7]}))
    assert main(["calibrate", *flags, "--resume"]) == 4
    assert "different looks: [7] and [10]; write to another --output" in capsys.readouterr().err
