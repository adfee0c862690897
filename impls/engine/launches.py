"""The parts of a run that are computed without a return to Python, and their inputs."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from impls.engine.spec import CellSpec
from impls.engine.state import Leaves

# The largest number of iterations in one launch, by device. A GPU has more, because a step takes less time there than
# it takes Python to start a launch.
STEPS_PER_LAUNCH = {"cpu": 50, "cuda": 250}
# Launches that may still run on the device when `advance` returns: with one, a GPU need not wait for the host.
STILL_RUNNING = {"cpu": 0, "cuda": 1}
# Launches whose inputs are drawn in advance: a new epoch's permutations take longer to draw than a launch takes.
DRAWN_AHEAD = 4


def launches(
    spec: CellSpec, start: int, draw: Callable[[int, int], Leaves], steps_per_launch: int
) -> Iterator[tuple[int, Leaves]]:
    """The last iteration and the inputs of each launch from iteration `start` on.

    The inputs are drawn in a second thread, while earlier launches run.

    Args:
        draw: from a first iteration and the one after the last, the inputs of the iterations between.
    """
    ends = [end for end in _ends(spec, steps_per_launch) if end > start]
    to_draw = itertools.pairwise([start, *ends])
    with ThreadPoolExecutor(max_workers=1) as drawing:
        drawn = deque(drawing.submit(draw, *part) for part in itertools.islice(to_draw, DRAWN_AHEAD))
        try:
            for end in ends:
                inputs = drawn.popleft().result()
                drawn.extend(drawing.submit(draw, *part) for part in itertools.islice(to_draw, 1))
                yield end, inputs
        finally:
            drawing.shutdown(cancel_futures=True)


def _ends(spec: CellSpec, steps_per_launch: int) -> list[int]:
    """Iterations at which launches end: every evaluation, and equal parts between two evaluations.

    The parts are equal because every other length needs another compilation.
    """
    ends = []
    for first, last in itertools.pairwise(spec.evaluation_iterations()):
        parts = -(-(last - first) // steps_per_launch)
        ends += [first + (last - first) * part // parts for part in range(1, parts + 1)]
    return ends
