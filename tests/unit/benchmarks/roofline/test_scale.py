"""`scale`: its points, what is skipped, the page and its figure."""

from __future__ import annotations

import doctest
import json

import pytest

from benchmarks import machine
from benchmarks.cases import Case
from benchmarks.cli import main
from benchmarks.roofline import measuring, scale

SECONDS_PER_GFLOP = 0.02


class Measured:
    """Stands for the processes: a step takes 20 ms per GFLOP, with what `slower` adds to cases of so many replicas."""

    def __init__(self) -> None:
        self.asked: list = []
        self.stop_at: int | None = None
        self.slower: dict[int, float] = {}

    def __call__(self, what, framework, precision, device):
        if len(self.asked) == self.stop_at:
            raise KeyboardInterrupt
        self.asked.append((framework, what))
        versions = {framework: "1"}
        made_by = {"sources_sha256": "0", "machine": {"cpu": "a cpu"}, "versions": versions, "threads": 2}
        found = {"made_by": made_by | {"precision": precision}}
        if isinstance(what, Case):
            operations = what.replicas * what.spec().operations_per_step()
            seconds = SECONDS_PER_GFLOP * operations / 1e9 * self.slower.get(what.replicas, 1)
            return found | {"seconds_per_step": seconds, "operations_per_step": operations, "bytes_per_step": 1.0}
        product = {"name": "a product", "shape": [4, 5, 6], "replicas": 1, "operations_per_second": 1e11}
        memory = [{"bytes": 2**20, "bytes_per_second": 1e9}]
        ceilings = {"products": [product], "convolutions": [], "memory": memory, "seconds_per_call": 5e-6}
        return found | {"ceilings": ceilings}


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """A folder with docs/, few sizes, and processes that answer at once."""
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine.Watch, "stop", lambda _: {"load_average": 0.1, "steal": 0.0, "others": 0.01})
    sizes = {"depth": (3, 4, 6), "replicas": (1, 3, 10), "truncation_length": (2, 5)}
    monkeypatch.setattr(scale, "SIZES", sizes)
    found = Measured()
    monkeypatch.setattr(measuring, "in_own_process", found)
    return found


def test_the_examples_run():
    failed, attempted = doctest.testmod(scale)
    assert (failed, attempted > 0) == (0, True)


def test_every_point_is_a_valid_case_and_each_axis_grows():
    cases = scale.cases()
    for axis, sizes in scale.SIZES.items():
        points = [cases[scale.name_of(axis, size)] for size in sizes]
        work = [case.replicas * case.spec().operations_per_step() for case in points]
        assert work == sorted(set(work))
        if axis != "replicas":
            assert [case.spec().resolved(axis) for case in points] == list(sizes)
    assert [cases[scale.name_of("replicas", n)].replicas for n in (1, 3, 100)] == [1, 3, 100]
    assert cases["base"].spec().depth == 4 and cases["base"].spec().resolved("hidden_units") == 256
    assert all(scale.FEWEST_STEPS <= case.steps <= scale.MOST_STEPS for case in cases.values())


def test_the_page_shows_times_and_growth_against_the_limit(measured, capsys):
    measured.slower = {10: 1.5}
    assert main(["scale", "--processes", "1"]) == 0
    page = scale.PAGE.read_text()
    assert "Made by `python -m benchmarks scale`" in page and "on an idle machine" in page and "cpu a cpu" in page
    # 0.62 GFLOP at 100 GFLOP/s, and three and ten times as much.
    assert "| replicas | 1 | torch | 0.62 | 6.2 | 12.4 | 12.4 to 12.4 | 50% |  |" in page
    assert "| replicas | 3 | torch | 1.86 | 18.6 | 37.2 | 37.2 to 37.2 | 50% | 3 / 3 = 1.00 |" in page
    assert "| replicas | 10 | jax | 6.2 | 62 | 186 | 186 to 186 | 33% | 5 / 3.3 = 1.50 |" in page
    assert page.count("| depth | 4 |") == 2 and "| T | 5 | jax |" in page and "skipped" not in page
    assert "](scale.svg)" in page
    image = scale.PAGE.with_suffix(".svg").read_text()
    assert image.startswith("<?xml") and "<dc:date>" not in image and "mathdefault" not in image
    asked = [what for framework, what in measured.asked if framework == "torch" and isinstance(what, Case)]
    assert len(asked) == 7, "three axes of 3, 3 and 2 points, and the base case in two of them only once"


def test_a_long_step_is_skipped_and_the_page_says_so(measured, capsys):
    """The step of 3 replicas takes 2 s, so that of 10 would take 6.7 s."""
    measured.slower = {3: 2 / (3 * 0.02 * 0.62)}
    assert main(["scale", "--processes", "1", "--framework", "jax"]) == 0
    assert [what for _, what in measured.asked if isinstance(what, Case) and what.replicas == 10] == []
    page = scale.PAGE.read_text()
    assert "- jax, replicas 10: skipped, a step would take about 6.7 s" in page
    assert "| replicas | 10 |" not in page and "| T | 5 | jax |" in page


def test_points_are_kept_and_the_page_is_drawn_again(measured, capsys):
    measured.stop_at = 4
    assert main(["scale", "--processes", "2"]) == 130
    assert "go on with: python -m benchmarks scale --processes 2 --resume" in capsys.readouterr().err
    measured.stop_at = None
    assert main(["scale", "--processes", "2", "--resume"]) == 0
    assert len(measured.asked) == 2 * 2 * (7 + 2)
    state = json.loads(scale.PAGE.with_suffix(".json").read_text())
    assert len(state["frameworks"]["torch"]["cases"]["base"]["seconds_per_step"]) == 2
    before = {path.name: path.read_bytes() for path in scale.PAGE.parent.iterdir()}
    assert sorted(before) == ["scale.json", "scale.md", "scale.svg"]
    for name in ("scale.md", "scale.svg"):
        scale.PAGE.with_name(name).unlink()
    assert main(["scale", "--draw-again"]) == 0
    assert {path.name: path.read_bytes() for path in scale.PAGE.parent.iterdir()} == before
