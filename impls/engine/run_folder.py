"""What a run keeps in its folder, and what makes a checkpoint or a result that of the very run at hand."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from impls.engine.files import META
from impls.errors import UserError

CHECKPOINT, PARAMETERS, CURVES, RECORD = "checkpoint.npz", "parameters.npz", "curves.parquet", "run.json"
Identity = dict[str, Any]


def identity(
    *, spec: dict[str, Any], seeds: list[int], framework: str, precision: str, data: dict[str, str], source_sha256: str
) -> Identity:
    """What decides the numbers of a run: two runs with the same identity compute the same.

    Args:
        spec: all fields of the cell, as JSON has them.
        data: the SHA-256 of each file of its data set.
        source_sha256: of the source files that it runs.
    """
    return {
        "spec": spec,
        "seeds": seeds,
        "framework": framework,
        "precision": precision,
        "data": data,
        "source code": source_sha256,
    }


def differences(wanted: Identity, found: Identity, among: Iterable[str] | None = None) -> tuple[str, ...]:
    """The entries of an identity that are not as wanted; `among` limits which are compared."""
    return tuple(name for name in among or wanted if found.get(name) != wanted[name])


class Checkpoint(NamedTuple):
    """What a checkpoint says of its run, without its arrays."""

    identity: Identity
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
