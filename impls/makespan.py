"""How long a preset would take on several devices at once, as a simulation from estimated times."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator

from impls.campaign.schedule import START_SECONDS
from impls.durations import duration
from impls.job_requests import estimated_minutes, is_guess, job_of
from impls.presets import Preset, cells


def describe(preset: Preset, at_once: Iterable[int]) -> Iterator[str]:
    """The sum of all trainings, the longest of them, and the time that they take with so many devices, as lines."""
    jobs = [
        job_of(preset, experiment, cell, framework)
        for experiment in preset.experiments
        for cell, framework in itertools.product(cells(preset, experiment), preset.frameworks)
    ]
    times = [START_SECONDS / 60 + estimated_minutes(job) for job in jobs]
    guesses = sum(map(is_guess, jobs))
    longest = jobs[times.index(max(times))]
    yield f"{len(times)} trainings, together {duration(sum(times))} of one device (estimated)"
    if guesses:
        yield f"{guesses} times are a guess: no run like these on such a device is published"
    yield f"the longest, which no number of devices makes shorter: {duration(max(times))}, {longest.label}"
    yield f"{'devices':>7} {'as listed':>12} {'longest first':>14} {'busy':>6}"
    for devices in at_once:
        listed, sorted_ = makespan(times, devices), makespan(sorted(times, reverse=True), devices)
        busy = sum(times) / (devices * listed)
        yield f"{devices:7} {duration(listed):>12} {duration(sorted_):>14} {busy:6.0%}"


def makespan(times: Iterable[float], devices: int) -> float:
    """When the last job ends, if each starts in turn on the device that is free first.

    >>> makespan([1, 1, 4], 2), makespan([4, 1, 1], 2)
    (5.0, 4.0)
    """
    free = [0.0] * devices
    for time in times:
        heapq.heappush(free, heapq.heappop(free) + time)
    return max(free)
