"""The times of workers: what `python -m impls workers` writes, `worker_times.json`, and its check when it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from impls.engine.files import write_atomically
from impls.engine.record import CodeRecord, Line, Name
from impls.errors import UserError
from impls.fields import ClosedModel, readable

TIMES = "worker_times.json"
REMEDY = "Delete it and measure again: `snakemake unlocked`, or `python -m impls workers`."


class ScheduleTimes(ClosedModel):
    """The times of one schedule on links of one delay."""

    schedule: Name
    method: Name  # of the unlocked experiment
    link_delay_ms: float
    link_delay: int  # ticks, in the spec
    seconds_per_batch: list[float]  # one for each start of the workers

    @property
    def mean(self) -> float:
        """Seconds per batch, over the starts."""
        return sum(self.seconds_per_batch) / len(self.seconds_per_batch)


class WorkerTimes(ClosedModel):
    """All times of one measurement."""

    schema_version: Literal[1] = 1
    spec: dict[str, Any]  # the fields that all have
    batches: int  # of each training; the first ones are not timed
    times: list[ScheduleTimes]
    code: CodeRecord
    versions: dict[Name, Name]
    device: dict[Name, Name | int]
    command: Line
    started_at: Name
    finished_at: Name

    def of(self, schedule: str, link_delay_ms: float) -> ScheduleTimes | None:
        """The times of a schedule; None if it was not measured with this delay. One process has no link."""
        delay = 0 if schedule == "one_process" else link_delay_ms
        return next((one for one in self.times if (one.schedule, one.link_delay_ms) == (schedule, delay)), None)


def write_times(path: Path, times: WorkerTimes) -> None:
    """Write a file of times atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(times.model_dump(), indent=1) + "\n").encode())


def parse_times(content: bytes, path: Path) -> WorkerTimes:
    """The times in the content of a file; raises `UserError`, in one line, if they are not valid."""
    try:
        return WorkerTimes.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise UserError(f"{path}: not valid times of workers: {readable(error)[0]}. {REMEDY}") from None
