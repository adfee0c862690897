"""How long a preset would take, on one device or on several at once, from estimated times."""

from __future__ import annotations

import heapq
import itertools
import statistics
from collections.abc import Iterable, Iterator, Mapping

from impls.campaign.job_list import Job
from impls.campaign.schedule import START_SECONDS
from impls.durations import duration
from impls.job_requests import estimated_minutes, is_guess, job_of
from impls.presets import Preset, cells, uses_gpu

WORTH_SAYING = 60.0  # minutes; a shorter run shows its progress before anybody reads an estimate


def left_to_train(preset: Preset, trainings: Mapping[str, int]) -> Iterator[str]:
    """How long trainings take on one device, by experiment, as a line; nothing if they take less than an hour.

    Args:
        trainings: number of trainings of each experiment. Each counts as the mean of its experiment's.
    """
    kind, device = ("cuda", "GPU") if uses_gpu(preset) else ("cpu", "core")
    preset = preset.model_copy(update={"device": kind})
    jobs = {experiment: _jobs(preset, experiment) for experiment in trainings}
    minutes = {name: trainings[name] * statistics.fmean(map(_minutes, jobs[name])) for name in jobs}
    if (total := sum(minutes.values())) < WORTH_SAYING:
        return
    parts = [f"{name} {duration(minutes[name])}" for name in sorted(minutes, key=minutes.__getitem__, reverse=True)]
    guess = any(is_guess(job) for job in itertools.chain.from_iterable(jobs.values()))
    note = f"; a guess, because no run on a {device} is published" if guess else ""
    yield f"Estimated for one {device}: {duration(total)} ({', '.join(parts)}{note})."


def describe(preset: Preset, at_once: Iterable[int]) -> Iterator[str]:
    """The sum of all trainings, the longest of them, and the time that they take with so many devices, as lines."""
    jobs = [job for experiment in preset.experiments for job in _jobs(preset, experiment)]
    times = [_minutes(job) for job in jobs]
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


def _jobs(preset: Preset, experiment: str) -> list[Job]:
    return [
        job_of(preset, experiment, cell, framework)
        for cell, framework in itertools.product(cells(preset, experiment), preset.frameworks)
    ]


def _minutes(job: Job) -> float:
    return START_SECONDS / 60 + estimated_minutes(job)
