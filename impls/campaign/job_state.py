"""How far a job of a campaign is, as its folder tells: complete, partial, or not made by what it asks for."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from impls.campaign.job_list import Job
from impls.engine.files import META
from impls.engine.record import RunRecord, read_record
from impls.engine.train import CHECKPOINT, CURVES, PARAMETERS, RECORD
from impls.errors import UserError
from impls.sources import sources_sha256, training_sources

SET_ASIDE = "set-aside"


class Standing(NamedTuple):
    """How far a job is. `differs`: what its folder's content was made with another of."""

    state: Literal["missing", "partial", "paused", "complete", "other"]
    iteration: int = 0
    differs: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do for this stage."""
        return self.state in ("paused", "complete")


class Checkpoint(NamedTuple):
    """What a checkpoint says of its run, without its arrays."""

    identity: dict[str, Any]
    iteration: int
    seconds: float  # of training and evaluation, over all sessions


def read_checkpoint(path: Path) -> Checkpoint | None:
    """What the checkpoint in `path` says, or None where there is none; raises `UserError` for a damaged one."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            meta = json.loads(stored[META].tobytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read ({error}): delete it, and the cell is trained anew") from error
    progress = meta["progress"]
    return Checkpoint(
        meta["identity"], progress["iteration"], progress["train_seconds"] + progress["evaluation_seconds"]
    )


def identity(job: Job, data: Mapping[str, dict[str, str]] | None = None) -> dict[str, Any]:
    """What `train` compares before it goes on from a checkpoint; `data`, if known: each data set's files by sha256."""
    found = {
        "spec": job.spec.model_dump(mode="json"),
        "seeds": job.seeds,
        "framework": job.framework,
        "precision": job.preset.precision,
        "source code": sources_sha256(training_sources(job.experiment, job.framework)),
    }
    return found if data is None else found | {"data": data[job.spec.dataset]}


def standing(job: Job, out: Path, data: Mapping[str, dict[str, str]] | None = None) -> Standing:
    """How far a job is in the output folder.

    A complete result stands whatever code made it (its record names it); a checkpoint of other code is no use to it.
    """
    record = record_of(job, out)
    if record is not None and record.status == "complete":
        differs = _not_asked_for(job, record)
        # A result with fewer replicas stays where it is, and the job trains beside it.
        if not differs:
            return Standing("complete", record.iteration_reached)
        if not job.grows:
            return Standing("other", record.iteration_reached, differs)
    checkpoint = read_checkpoint(out / job.folder / CHECKPOINT)
    if checkpoint is None:
        return Standing("missing")
    wanted = identity(job, data)
    differs = tuple(name for name, value in wanted.items() if checkpoint.identity.get(name) != value)
    if differs:
        return Standing("other", checkpoint.iteration, differs)
    paused = job.stage.pause_at is not None and checkpoint.iteration >= job.stage.pause_at
    return Standing("paused" if paused else "partial", checkpoint.iteration)


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
