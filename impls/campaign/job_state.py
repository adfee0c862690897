"""The state of a job, read from its folder: complete, partial, or made by other code or settings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from impls.campaign.job_list import Job
from impls.command_line import in_words
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
from impls.errors import UserError
from impls.sources import sources_sha256, training_sources

SET_ASIDE = "set-aside"


class JobState(NamedTuple):
    """The state of a job.

    `differs` names the entries of the folder's identity that are not the job's; `damage` says what cannot be read.
    """

    status: Literal["missing", "partial", "paused", "complete", "other", "damaged"]
    iteration: int = 0
    differs: tuple[str, ...] = ()
    damage: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do in this stage."""
        return self.status in ("paused", "complete")


def wanted_identity(job: Job, data: Mapping[str, dict[str, str]] | None = None) -> Identity:
    """The identity of a job's run. `data`, if known: the sha256 of each data set's files."""
    return identity(
        spec=job.spec.model_dump(mode="json"),
        seeds=job.seeds,
        framework=job.framework,
        precision=job.preset.precision,
        data={} if data is None else data[job.spec.dataset],
        source_sha256=sources_sha256(training_sources(job.experiment, job.framework)),
    )


def state_of(job: Job, out: Path, data: Mapping[str, dict[str, str]] | None = None) -> JobState:
    """The state of a job in the output folder.

    A complete result is kept whatever code made it; its record names the code. A checkpoint of other code cannot be
    resumed.
    """
    try:
        return _state_of(job, out, data)
    except UserError as error:
        return JobState("damaged", damage=str(error))
    except OSError as error:
        return JobState("damaged", damage=in_words(error))


def _state_of(job: Job, out: Path, data: Mapping[str, dict[str, str]] | None) -> JobState:
    record = record_of(job, out)
    if record is not None and record.status == "complete":
        differs = _not_asked_for(job, record)
        # A result with fewer replicas is kept, and the job trains in `growing/`.
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
    """The record of the cell's current result. A complete run with more replicas replaces this result first."""
    if job.grows and (out / job.folder / RECORD).is_file():
        grown = read_record(out / job.folder / RECORD)
        if grown.status == "complete":
            _replace_result(out / job.folder, out / job.name)
    path = out / job.name / RECORD
    return read_record(path) if path.is_file() else None


def set_aside(folder: str, out: Path, stamp: str) -> Path:
    """Move a job's folder to `set-aside/<stamp>/`; returns the new path."""
    target = out / SET_ASIDE / stamp / folder
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(out / folder, target)
    return target


def _not_asked_for(job: Job, record: RunRecord) -> tuple[str, ...]:
    """The properties in which a complete result differs from the job. More replicas than needed are allowed."""
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
    """Replace the result by a run with more replicas. The record is moved last, so a killed move can be repeated."""
    result.mkdir(parents=True, exist_ok=True)
    (result / RECORD).unlink(missing_ok=True)  # a record must never lie beside the curves of another run
    (result / CHECKPOINT).unlink(missing_ok=True)
    for name in (CURVES, PARAMETERS, RECORD):
        if (grown / name).is_file():
            os.replace(grown / name, result / name)
