"""`python -m benchmarks scale`: what a step costs as the net, the batch, the replicas or T grow.

Every axis starts at a small size and passes through a base case: feedforward, cdni, depth 4, 256 units, batch 256, one
replica; for T, the recurrent net on Copy. The rest is as in `limits`: separate processes, each result kept at once, and
the machine's limit beside the time.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.cases import Case
from benchmarks.digits import number, share, table, to_the_range
from benchmarks.roofline import measuring, processes, scale_figure
from benchmarks.roofline.limits_page import made, measured_rows
from benchmarks.roofline.processes import Found, Unit, at_the_limit, seconds_of
from impls.engine.files import write_atomically

PAGE = Path("docs/scale.md")
PROCESSES = 3  # of each point
LONGEST_STEP = 5.0  # seconds; a point with a longer step is skipped
OPERATIONS_PER_LAUNCH, MOST_STEPS, FEWEST_STEPS = 3e10, 50, 2  # a launch takes about half a second on two cores

BASE: dict[str, Any] = {"method": "cdni", "depth": 4, "hidden_units": 256, "batch_size": 256}
COPY: dict[str, Any] = {"dataset": "copy", "method": "dni"}
SIZES: dict[str, tuple[int, ...]] = {
    "depth": (3, 4, 6, 11, 21),
    "hidden_units": (64, 128, 256, 512, 1024, 2048, 4096),
    "batch_size": (16, 64, 256, 1024, 4096),
    "replicas": (1, 3, 10, 30, 100),
    "truncation_length": (2, 5, 10, 20, 40),
}
NAMES = {"hidden_units": "width", "batch_size": "batch", "truncation_length": "T"}


def name_of(axis: str, size: int) -> str:
    """The name of a point's case. The axes share the base case, which is measured once.

    >>> name_of("depth", 6), name_of("depth", 4), name_of("replicas", 1)
    ('depth 6', 'base', 'base')
    """
    return "base" if {**BASE, "replicas": 1}.get(axis) == size else f"{NAMES.get(axis, axis)} {size}"


def cases() -> dict[str, Case]:
    """The cases of all points, by name; each axis in the order of its sizes."""
    found: dict[str, Case] = {}
    for axis, sizes in SIZES.items():
        for size in sizes:
            experiment, fields = ("recurrent", COPY) if axis == "truncation_length" else ("feedforward", BASE)
            if axis != "replicas":
                fields = fields | {axis: size}
            case = Case(experiment, fields, 1, size if axis == "replicas" else 1)
            steps = OPERATIONS_PER_LAUNCH / (case.replicas * case.spec().operations_per_step())
            bounded = round(min(MOST_STEPS, max(FEWEST_STEPS, steps)))
            found[name_of(axis, size)] = Case(experiment, fields, bounded, case.replicas)
    return found


def scale(options: argparse.Namespace) -> int:
    """Measure the points, write the page and its figure, and print the page; returns 0, or 1 if a point failed."""
    output = options.output or PAGE
    measuring.check(options, output)
    state = measuring.begin(options, output)
    if not options.draw_again:
        all_cases = cases()
        measuring.measure(options, state, output, all_cases, skip=lambda unit: too_long(state, unit, all_cases))
    found = state["frameworks"]
    image = output.with_suffix(".svg")
    page = as_markdown(state, image.name)
    write_atomically(image, scale_figure.drawn(curves(found), {axis: NAMES.get(axis, axis) for axis in SIZES}))
    measuring.finish(state, output, page, drawn_again=options.draw_again)
    print(page)
    return int(bool(processes.errors(found)))


def too_long(state: measuring.State, unit: Unit, all_cases: dict[str, Case]) -> str | None:
    """Why a point is skipped: by the time of the next smaller one, a step would take too long; None if it does not."""
    rows = state["frameworks"][unit.framework]["cases"]
    work = {name: case.replicas * case.spec().operations_per_step() for name, case in all_cases.items()}
    for axis, sizes in SIZES.items():
        for small, size in itertools.pairwise(sizes):
            row = rows.get(name_of(axis, small), {})
            if unit.name != name_of(axis, size):
                continue
            if "skipped" in row:
                return f"{name_of(axis, small)} was skipped"
            if row.get("seconds_per_step"):
                expected = seconds_of(row) * work[unit.name] / work[name_of(axis, small)]
                if expected > LONGEST_STEP:
                    return f"a step would take about {number(expected, 2)} s"
    return None


class Point(NamedTuple):
    """A measured point of a curve: its size, and seconds of a step, of each process and at the limit of the machine."""

    size: int
    row: dict[str, Any]
    limit: float


def curves(found: Found) -> dict[str, dict[str, list[Point]]]:
    """By axis and framework, the points that have a time."""
    return {axis: {framework: list(_curve(found, framework, axis)) for framework in found} for axis in SIZES}


def _curve(found: Found, framework: str, axis: str) -> Iterator[Point]:
    for size in SIZES[axis]:
        row = found[framework]["cases"].get(name_of(axis, size), {})
        if row.get("seconds_per_step"):
            yield Point(size, row, at_the_limit(found, row)[0])


def as_markdown(state: measuring.State, image: str) -> str:
    """The page: where it was made, the figure, and the points."""
    found = state["frameworks"]
    measured_rows(found)
    skipped = [
        f"- {framework}, {name}: skipped, {row['skipped']}"
        for framework, part in found.items()
        for name, row in part["cases"].items()
        if "skipped" in row
    ]
    text = (
        "What a step of all replicas costs as one size grows. The others stay those of the base case: feedforward,\n"
        "cdni, depth 4, 256 units (*width*), batch 256, one replica; for *T*, recurrent, Copy, dni. The limit is\n"
        "that of [limits.md](limits.md): counted operations over the best rate of a product, or counted bytes over\n"
        "the best pass over memory."
    )
    figure = f"![Milliseconds of a step against each size, with the limit of the machine.]({image})"
    notes = (
        "*Times as long* and *times as much work* compare a point with the one above it; work is operations. Where\n"
        "their quotient is well above 1, the curve bends upwards: that needs a reason."
    )
    parts = ["# What a step costs as it grows", made(state, "scale"), text, figure, notes, _table(found)]
    return "\n\n".join([*parts, *(["\n".join(skipped)] if skipped else [])]) + "\n"


def _table(found: Found) -> str:
    head = ["what grows", "size", "framework", "GFLOP", "at the limit, ms", "measured, ms", "processes, ms"]
    lines = [[*head, "of the limit", "times as long / times as much work"]]
    for axis, by_framework in curves(found).items():
        for framework, points in by_framework.items():
            for before, point in zip([None, *points], points, strict=False):
                times = to_the_range([1e3 * seconds for seconds in point.row["seconds_per_step"]])
                cells = [number(point.row["operations_per_step"] / 1e9), number(1e3 * point.limit), *times]
                cells += [share(point.limit / seconds_of(point.row)), _growth(before, point)]
                lines.append([NAMES.get(axis, axis), str(point.size), framework, *cells])
    return table(lines)


def _growth(before: Point | None, point: Point) -> str:
    """From one point to the next: times as long / times as much work = their quotient."""
    if before is None:
        return ""
    longer = seconds_of(point.row) / seconds_of(before.row)
    work = point.row["operations_per_step"] / before.row["operations_per_step"]
    return f"{number(longer, 2)} / {number(work, 2)} = {longer / work:.2f}"
