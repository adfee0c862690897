"""Synthetic results that exercise every part of a report, drawn; and a reader of the page."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from paper_figures import registry
from paper_figures.files import write_together
from tests.support.runs_on_disk import EQUAL, METHODS, edit_record, write_run

FULL_SIZE = {"iterations": 500_000, "evaluate_every": 20_000}
PARTIAL = "python -m impls train feedforward --framework torch --depth 3 --method dni --max-minutes 5 --data original"


def draw(results: Path, *names: str) -> None:
    """Writes artifacts to their usual places under `results`."""
    for name in names:
        module = registry.module(name)
        contents = module.make(results)
        write_together({(results / module.OUTPUT).with_suffix(suffix): part for suffix, part in contents.items()})


def write_results(results: Path) -> Path:
    """Six runs at the paper's size: one reproduces, one diverged, one stopped early, one is of one framework alone."""
    write_run(results, "torch", final=EQUAL, **FULL_SIZE)
    write_run(results, "jax", final=EQUAL, diverged=1, **FULL_SIZE)
    write_run(results, "torch", 3, "dni", reached=100_000, **FULL_SIZE)
    edit_record(results / "feedforward/dataset~mnist/model~fcn/depth~3/method~dni/torch", command=PARTIAL)
    write_run(results, "jax", 3, "cdni", choices=["target_scale = batch_mean (default: example)"], **FULL_SIZE)
    alone = write_run(results, "jax", 5, "bprop", seeds=(0,), **FULL_SIZE)
    command = f"python -m impls train feedforward --framework jax --depth 5 --method bprop --output '{alone}'"
    edit_record(alone, command=command)
    write_run(results, "torch", 6, "no_bprop", **FULL_SIZE)
    log = results / "logs/feedforward/dataset~mnist/model~fcn/depth~6/method~cdni/jax.log"
    log.parent.mkdir(parents=True)
    log.write_text("RuntimeError: broken on purpose\n")
    draw(results, "claims", "table_feedforward", "fig_feedforward_curves", "report")
    return results


def write_stand_ins(results: Path) -> Path:
    """As the quick preset: stand-in data and small nets."""
    for method in METHODS:
        reduced = {"differs": ["hidden_units = 64 (paper: 256)"], "preset": "quick"}
        write_run(results, "torch", 4, method, iterations=2000, source="stand-in", **reduced)
    draw(results, "claims", "report")
    return results


class Page(HTMLParser):
    """The parts of report.html that tests look at.

    Attributes:
        tags: every element as (name, attributes), in order.
        text: all visible text, without styles and script.
    """

    def __init__(self, results: Path):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self._words: list[str] = []
        self._skipped = False
        self.feed((results / "report.html").read_text(encoding="utf-8"))
        self.text = " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._skipped = tag in ("style", "script")

    def handle_endtag(self, tag):
        self._skipped = False

    def handle_data(self, data):
        if not self._skipped:
            self._words.append(data)

    def all(self, name: str, attribute: str) -> list[dict[str, str]]:
        """The attributes of every element of this name that has the attribute."""
        return [attributes for tag, attributes in self.tags if tag == name and attribute in attributes]
