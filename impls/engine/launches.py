"""The parts of a run that are computed without a return to Python, and their inputs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from impls.engine.spec import CellSpec
from impls.engine.state import Leaves

STEPS_PER_LAUNCH = 50


def launches(spec: CellSpec, start: int, draw: Callable[[int, int], Leaves]) -> Iterator[tuple[int, Leaves]]:
    """The last iteration and the inputs of each launch from iteration `start` on.

    The inputs are drawn while the previous launch runs.

    Args:
        draw: from a first iteration and the one after the last, the inputs of the iterations between.
    """
    ends = [end for end in _ends(spec) if end > start]
    with ThreadPoolExecutor(max_workers=1) as drawing:
        upcoming = None
        for first, last, after in zip([start, *ends], ends, [*ends[1:], None], strict=False):
            inputs = upcoming.result() if upcoming else draw(first, last)
            upcoming = drawing.submit(draw, last, after) if after else None
            yield last, inputs


def _ends(spec: CellSpec) -> list[int]:
    """Iterations at which launches end: every evaluation, and equal parts between two evaluations.

    The parts are equal because every other length needs another compilation.
    """
    ends = []
    for first, last in itertools.pairwise(spec.evaluation_iterations()):
        parts = -(-(last - first) // STEPS_PER_LAUNCH)
        ends += [first + (last - first) * part // parts for part in range(1, parts + 1)]
    return ends
