"""What a training requests from a cluster: minutes and memory, estimated from its spec and the published rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from impls.campaign.device import Device
from impls.campaign.job_list import Job, Stage
from impls.campaign.time_estimates import PUBLISHED, Rates
from impls.engine.memory import estimated_bytes
from impls.presets import Preset

START_MINUTES = 5.0  # Python, the framework and its compiler, on a slow file system
SAVING_MINUTES = 3.0  # to write the last checkpoint
MARGIN = 2.0  # estimates are that rough


def job_of(preset: Preset, experiment: str, cell: Mapping[str, Any], framework: str) -> Job:
    """The training of a cell of `cells(preset, experiment)`."""
    return Job(Stage(title="preset", replicas=None, pause_at=None), preset, experiment, cell, framework, grows=False)


def minutes(job: Job, attempt: int = 1) -> int:
    """Minutes to request for a training: twice the estimate, and more at each attempt; `max_minutes` if that is less.

    A training that meets the limit saves a checkpoint, from which the next attempt goes on.
    """
    needed = START_MINUTES + MARGIN * attempt * estimated_minutes(job)
    most = job.preset.max_minutes
    return math.ceil(needed if most is None else min(needed, START_MINUTES + most + SAVING_MINUTES))


def memory_mb(job: Job, attempt: int = 1) -> int:
    """Megabytes to request for a training: twice the estimate, and more at each attempt.

    On a GPU most of this is needed on the GPU itself, so the request is too large rather than too small.
    """
    return math.ceil(MARGIN * attempt * estimated_bytes(job.spec, job.replicas) / 1e6)


def estimated_minutes(job: Job) -> float:
    """Minutes of computing, without the start of a process and its compilation."""
    return _rates(job).seconds(job, job.last_iteration) / 60


def is_guess(job: Job) -> bool:
    """Whether the estimate is a guess, because no published run is like this one on such a device."""
    return _rates(job).rate(job).basis == "guess"


@cache
def published_rates(kind: Literal["cpu", "cuda"], precision: str) -> Rates:
    """The rates of all published runs on devices of a kind: where a job will run is not known."""
    rates = Rates(Device(kind, "unknown", None), 1, precision)
    rates.read_records([PUBLISHED])
    return rates


def _rates(job: Job) -> Rates:
    return published_rates("cuda" if job.preset.device == "cuda" else "cpu", job.preset.precision)
