"""The files in a run's folder, and the identity that decides whether a checkpoint or result belongs to a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from impls.engine.files import META, opened_arrays

CHECKPOINT, PARAMETERS, CURVES, RECORD = "checkpoint.npz", "parameters.npz", "curves.parquet", "run.json"
Identity = dict[str, Any]


def identity(
    *, spec: dict[str, Any], seeds: list[int], framework: str, precision: str, data: dict[str, str], source_sha256: str
) -> Identity:
    """Everything that decides the numbers of a run: two runs with the same identity compute the same numbers.

    Args:
        spec: all fields of the cell, in their JSON form.
        data: the SHA-256 of each file of its data set.
        source_sha256: one hash of the source files that it runs.
    """
    return {
        "spec": spec,
        "seeds": seeds,
        "framework": framework,
        "precision": precision,
        "data": data,
        "source code": source_sha256,
    }


def recorded_identity(record: Mapping[str, Any]) -> Identity:
    """The identity of the run that a record, in its JSON form, describes; raises LookupError or TypeError if it lacks
    a part.
    """
    return identity(
        **{name: record[name] for name in ("spec", "seeds", "framework", "precision")},
        data=record["data"][0]["files"],
        source_sha256=record["code"]["source_sha256"],
    )


def differences(wanted: Identity, found: Identity, among: Iterable[str] | None = None) -> tuple[str, ...]:
    """Names of the entries in which two identities differ; `among` limits the comparison."""
    return tuple(name for name in among or wanted if found.get(name) != wanted[name])


@dataclass
class Progress:
    """The progress that a checkpoint stores: the iteration, and sums over all sessions."""

    started_at: str
    iteration: int = 0
    sessions: int = 0
    wall_seconds: float = 0.0
    train_seconds: float = 0.0
    compile_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    stopped_early: bool = False
    changes: list[str] = field(default_factory=list)  # as in the record


class Checkpoint(NamedTuple):
    """The description of a run in its checkpoint, without the arrays."""

    identity: Identity
    iteration: int
    seconds: float  # of training and evaluation, over all sessions


def read_checkpoint(path: Path) -> Checkpoint | None:
    """The description in the checkpoint `path`, or None if there is none; raises `UserError` if it is damaged."""
    try:
        with opened_arrays(path) as stored:
            meta = json.loads(stored[META].tobytes())
            progress = meta["progress"]
            seconds = float(progress["train_seconds"] + progress["evaluation_seconds"])
            return Checkpoint(dict(meta["identity"]), int(progress["iteration"]), seconds)
    except FileNotFoundError:
        return None
