"""How far a job of a campaign is, as its folder tells: complete, partial, or not made by what it asks for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from impls.campaign.job_list import Job
from impls.engine.record import RunRecord, read_record
from impls.engine.run_folder import (
    CHECKPOINT,
    CURVES,
    PARAMETERS,
    RECORD,
    Identity,
    differences,
    identity,
    read_checkpoint,
)
from impls.sources import sources_sha256, training_sources

SET_ASIDE = "set-aside"


class JobState(NamedTuple):
    """How far a job is. `differs`: what its folder's content was made with another of."""

    status: Literal["missing", "partial", "paused", "complete", "other"]
    iteration: int = 0
    differs: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do for this stage."""
        return self.status in ("paused", "complete")


def wanted_identity(job: Job, data: Mapping[str, dict[str, str]] | None = None) -> Identity:
    """The identity of the run that a job asks for; `data`, if known: each data set's files by sha256."""
    return identity(
        spec=job.spec.model_dump(mode="json"),
        seeds=job.seeds,
        framework=job.framework,
        precision=job.preset.precision,
        data={} if data is None else data[job.spec.dataset],
        source_sha256=sources_sha256(training_sources(job.experiment, job.framework)),
    )


def state_of(job: Job, out: Path, data: Mapping[str, dict[str, str]] | None = None) -> JobState:
    """How far a job is in the output folder.

    A complete result stands whatever code made it (its record names it); a checkpoint of other code is no use to it.
    """
    record = record_of(job, out)
    if record is not None and record.status == "complete":
        differs = _not_asked_for(job, record)
        # A result with fewer replicas stays where it is, and the job trains beside it.
        if not differs:
            return JobState("complete", record.iteration_reached)
        if not job.grows:
            return JobState("other", record.iteration_reached, differs)
    checkpoint = read_checkpoint(out / job.folder / CHECKPOINT)
    if checkpoint is None:
        return JobState("missing")
    wanted = wanted_identity(job, data)
    differs = differences(wanted, checkpoint.identity, (name for name in wanted if data is not None or name != "data"))
    if differs:
        return JobState("other", checkpoint.iteration, differs)
    paused = job.stage.pause_at is not None and checkpoint.iteration >= job.stage.pause_at
    return JobState("paused" if paused else "partial", checkpoint.iteration)


def record_of(job: Job, out: Path) -> RunRecord | None:
    """The record of the result that stands for the job's cell; one that has grown up is put in its place first."""
    if job.grows and (out / job.folder / RECORD).is_file():
        grown = read_record(out / job.folder / RECORD)
        if grown.status == "complete":
            _replace_result(out / job.folder, out / job.name)
    path = out / job.name / RECORD
    return read_record(path) if path.is_file() else None


def set_aside(folder: str, out: Path, stamp: str) -> Path:
    """Move a job's folder, with what is in it, out of the way; returns where to."""
    target = out / SET_ASIDE / stamp / folder
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(out / folder, target)
    return target


def _not_asked_for(job: Job, record: RunRecord) -> tuple[str, ...]:
    """What a complete result has another of than the job asks for. More replicas than asked for are no fault."""
    stand_in = any(entry.source == "stand-in" for entry in record.data)
    made = {
        "spec": record.spec == job.spec.model_dump(mode="json"),
        "seeds": record.seeds[: job.replicas] == job.seeds,
        "precision": record.precision == job.preset.precision,
        "data": any(entry.source == "generated" for entry in record.data)
        or stand_in == (job.preset.data == "embedded"),
    }
    return tuple(name for name, same in made.items() if not same)


def _replace_result(grown: Path, result: Path) -> None:
    """Put a grown run in the place of the result. Its record goes last, so that this can be done again after a kill."""
    result.mkdir(parents=True, exist_ok=True)
    (result / RECORD).unlink(missing_ok=True)  # must never stand beside curves that are not its own
    (result / CHECKPOINT).unlink(missing_ok=True)
    for name in (CURVES, PARAMETERS, RECORD):
        if (grown / name).is_file():
            os.replace(grown / name, result / name)
