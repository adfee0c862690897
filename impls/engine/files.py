"""Files that are complete or absent: atomic writes, checkpoints without pickle, one process per run."""

from __future__ import annotations

import contextlib
import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from impls.engine.state import Leaves
from impls.errors import UserError

META = "meta.json"


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Replace `path` by `content` atomically: at any moment, also after a kill, the file is the old or the new one.

    Raises:
        UserError: the disk is full or not writable; the old file is unchanged.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(
            f"cannot write {path}: {error.strerror}. The old file is unchanged: free some space or choose another "
            "--output, then run the same command with --resume"
        ) from error


def write_arrays(path: Path, arrays: Leaves, meta: dict[str, Any]) -> None:
    """Store arrays and JSON-able `meta` in one .npz file, atomically."""
    buffer = io.BytesIO()
    stored: dict[str, Any] = {META: np.frombuffer(json.dumps(meta).encode(), np.uint8), **arrays}
    np.savez(buffer, **stored)
    write_atomically(path, buffer.getbuffer())


def read_arrays(path: Path) -> tuple[Leaves, dict[str, Any]]:
    """The inverse of `write_arrays`. Nothing in the file is executed: NumPy refuses pickled objects.

    Raises:
        UserError: the file is damaged, or was not written by `write_arrays`.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        meta = json.loads(arrays.pop(META).tobytes())
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read ({error}): delete it, and run again without --resume") from error
    return arrays, meta


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. The system releases it when the process ends, also after a kill.

    Raises:
        UserError: another process holds it.
    """
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"another process is training into {folder}: wait for it, or choose another --output") from None
    try:
        yield
    finally:
        lock.release()
