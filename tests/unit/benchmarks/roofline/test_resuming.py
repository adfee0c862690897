"""`limits`: the order of its processes; each result is kept at once; `--resume` measures what is missing."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from benchmarks import machine
from benchmarks.cases import PLAIN, Case
from benchmarks.cli import main
from benchmarks.roofline import limits, measuring, processes

CHOSEN = ("feedforward/small_dni/x1", "two_network/dni/x1")
CEILINGS = {
    "products": [{"name": "a product", "shape": [4, 5, 6], "replicas": 1, "operations_per_second": 1e12}],
    "convolutions": [],
    "memory": [{"bytes": 2**20, "bytes_per_second": 1e9}],
    "seconds_per_call": 5e-6,
}


class Measured:
    """Stands for the processes: answers at once, and fails on demand."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.stop_at: int | None = None
        self.failing: set[str] = set()
        self.sources = "0"

    def __call__(self, what, framework, precision, device):
        name = what.experiment if isinstance(what, Case) else what
        if len(self.asked) == self.stop_at:
            raise KeyboardInterrupt
        self.asked.append((framework, name))
        if name in self.failing:
            raise RuntimeError("exit code 7, ValueError: no")
        made_by = {"sources_sha256": self.sources, "machine": {"cpu": "a cpu"}, "versions": {framework: "1"}}
        found = {"made_by": made_by | {"threads": 2, "precision": precision}}
        if isinstance(what, Case):
            return found | {"seconds_per_step": 0.004, "operations_per_step": 1e9, "bytes_per_step": 2e6}
        return found | ({"ceilings": CEILINGS} if what == "ceilings" else {"rate": 10.0})


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """A folder with docs/, two cases, and processes that answer at once."""
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine.Watch, "stop", lambda _: {"load_average": 0.1, "steal": 0.0, "others": 0.01})
    monkeypatch.setattr(limits, "CASES", {name: limits.CASES[name] for name in CHOSEN})
    found = Measured()
    monkeypatch.setattr(measuring, "in_own_process", found)
    return found


CALL = ["feedforward", "two_network"]
PASS = {
    "torch": ["ceilings", *CALL, "feedforward/small_dni/x1", "ceilings"],
    "jax": ["ceilings", *CALL, "ceilings"],
}
ONE_PASS = [(framework, name) for framework, names in PASS.items() for name in names]


def test_the_frameworks_and_the_cases_take_turns(measured, capsys):
    assert main(["limits", "--processes", "2"]) == 0
    assert measured.asked == ONE_PASS * 2
    out, err = capsys.readouterr()
    assert "# Share of the machine's limit" in out and "Processes of each case: 2." in limits.PAGE.read_text()
    assert "torch: process 1 of 2, two_network/dni/x1: 4 ms/step" in err
    assert sorted(path.name for path in limits.PAGE.parent.iterdir()) == ["limits.json", "limits.md"]


@pytest.mark.parametrize("stop_at", range(2 * len(ONE_PASS)))
def test_a_stopped_measuring_goes_on_with_what_is_missing(measured, capsys, stop_at):
    """Wherever it stops, nothing is measured twice, and nothing is missing at the end."""
    measured.stop_at = stop_at
    assert main(["limits", "--processes", "2"]) == 130
    assert not limits.PAGE.exists()
    advice = "go on with: python -m benchmarks limits --processes 2 --resume"
    assert (advice in capsys.readouterr().err) == (stop_at > 0)
    measured.stop_at = None
    assert main(["limits", "--processes", "2", *(["--resume"] if stop_at else [])]) == 0
    assert measured.asked == ONE_PASS * 2
    state = json.loads(limits.PAGE.with_suffix(".json").read_text())
    for part in state["frameworks"].values():
        assert [len(row["seconds_per_step"]) for row in part["cases"].values()] == [2, 2]
        assert len(part["ceilings"]) == 4
    assert len(state["history"]) == 1


def test_more_processes_are_added_to_those_of_a_complete_measuring(measured):
    """The line of the history is replaced; a new measuring adds one."""
    assert main(["limits", "--processes", "1"]) == 0
    assert main(["limits", "--processes", "3", "--resume"]) == 0
    assert measured.asked == ONE_PASS * 3
    read = lambda: json.loads(limits.PAGE.with_suffix(".json").read_text())  # noqa: E731
    assert len(read()["history"]) == 1
    assert len(read()["history"][0]["cases"]["feedforward/small_dni/x1"]["jax"]["seconds_per_step"]) == 3
    earlier = read()
    earlier["history"][0]["begun"] = earlier["begun"] = "2026-11-27"
    limits.PAGE.with_suffix(".json").write_text(json.dumps(earlier))
    assert main(["limits", "--processes", "1"]) == 0
    assert len(read()["history"]) == 2


def test_a_measuring_that_was_stopped_is_not_overwritten(measured, capsys):
    measured.stop_at = 3
    assert main(["limits"]) == 130
    file = limits.PAGE.with_suffix(".unfinished.json")
    before = file.read_bytes()
    assert main(["limits"]) == 4
    assert "is from a measuring that was stopped: add --resume, or delete it" in capsys.readouterr().err
    assert file.read_bytes() == before


def test_other_code_is_refused_and_nothing_is_lost(measured, capsys):
    measured.stop_at = 3
    main(["limits"])
    file = limits.PAGE.with_suffix(".unfinished.json")
    before, measured.stop_at, measured.sources = file.read_bytes(), None, "1"
    assert main(["limits", "--resume"]) == 4
    error = capsys.readouterr().err
    assert "torch was measured before with a different sources_sha256: begin without --resume" in error
    assert file.read_bytes() == before and "go on with" not in error.splitlines()[-1]


def test_a_failed_case_is_told_of_and_measured_again_on_demand(measured, capsys):
    """It does not stop the others, and it is not tried in every pass."""
    measured.failing = {"two_network"}
    assert main(["limits", "--processes", "2"]) == 1
    assert Counter(measured.asked)["torch", "two_network"] == 1 and Counter(measured.asked)["jax", "feedforward"] == 2
    assert "- **failed**: torch two_network/dni/x1: exit code 7, ValueError: no" in limits.PAGE.read_text()
    measured.asked, measured.failing = [], set()
    assert main(["limits", "--processes", "2", "--resume"]) == 0
    assert measured.asked == [("torch", "two_network"), ("jax", "two_network")] * 2
    assert "failed" not in limits.PAGE.read_text()


def test_a_failure_of_anything_else_ends_the_measuring(measured, capsys):
    measured.failing = {"feedforward/small_dni/x1"}
    assert main(["limits"]) == 4
    error = capsys.readouterr().err
    assert "error: measuring torch, plain feedforward/small_dni/x1: exit code 7, ValueError: no" in error
    assert "go on with: python -m benchmarks limits --resume" in error


def test_a_page_can_be_drawn_again(measured, capsys):
    """It is the same page; a measuring that was stopped since then stays."""
    assert main(["limits", "--processes", "1"]) == 0
    page, state = limits.PAGE.read_text(), limits.PAGE.with_suffix(".json").read_bytes()
    measured.asked, measured.stop_at = [], 2
    assert main(["limits"]) == 130
    limits.PAGE.write_text("damaged")
    assert main(["limits", "--draw-again"]) == 0
    assert limits.PAGE.read_text() == page and limits.PAGE.with_suffix(".json").read_bytes() == state
    assert limits.PAGE.with_suffix(".unfinished.json").exists() and len(measured.asked) == 2


@pytest.mark.parametrize(("pattern", "written"), [("*", True), ("two_network/*", False)])
def test_only_the_whole_list_is_written_to_the_page_of_the_repository(measured, capsys, pattern, written):
    assert main(["limits", "--framework", "torch", "--cases", pattern]) == 0
    assert limits.PAGE.exists() == written
    assert "# Share of the machine's limit" in capsys.readouterr().out
    measured.asked, measured.stop_at = [], 2
    assert main(["limits", "--framework", "torch", "--cases", pattern]) == 130
    assert ("nothing was kept" in capsys.readouterr().err) != written


@pytest.mark.parametrize("damaged", ["[", "[]", '{"comparisons": []}'])
def test_a_file_of_something_else_is_not_resumed(measured, capsys, damaged):
    limits.PAGE.with_suffix(".json").write_text(damaged)
    assert main(["limits", "--resume"]) == 4
    assert "is not a file of limits" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--cases", "two_netwrk/dni/x1"], "no case matches 'two_netwrk/dni/x1'. There are: two_network/dni/x1"),
        (["--output", "nowhere/page.md"], "there is no folder nowhere"),
        (["--processes", "0"], "--processes must be at least 1"),
        (["--resume", "--output", "docs/none.md"], "--resume: there is no docs/none.json of an earlier call"),
        (["--draw-again", "--output", "docs/none.md"], "--draw-again: there is no docs/none.json of an earlier call"),
        (["--resume", "--cases", "two_network/*"], "--resume and --draw-again need --output"),
    ],
)
def test_a_mistake_is_one_line(measured, flags, message, capsys):
    assert main(["limits", *flags]) == 4
    assert capsys.readouterr().err.startswith(f"error: {message}")


def test_plain_loops_are_measured_in_pytorch_only():
    units = list(processes.missing({}, ["jax"], [], list(PLAIN), 1))
    assert {unit.kind for unit in units} == {"ceilings"}
