"""Files that are complete or absent: atomic writes, checkpoints without pickle, one process per run."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock, Timeout

from impls.engine.state import Leaves
from impls.errors import UserError

META = "meta.json"
DAMAGED = (ValueError, TypeError, KeyError, EOFError, RecursionError, MemoryError, zipfile.BadZipFile, zlib.error)


def temporary_of(path: Path) -> Path:
    """The file that is written before it replaces `path`. After a kill it stays, and the next write replaces it."""
    return path.with_name(f".{path.name}.tmp")


def opened_temporary(path: Path) -> BinaryIO:
    """The temporary file of `path`, empty. Another process that writes the same path waits until it is closed."""
    temporary = temporary_of(path)
    while True:
        file = open(temporary, "ab")  # noqa: SIM115  # the caller closes it
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(file.fileno()), os.stat(temporary)):
                file.truncate(0)
                return file
        except FileNotFoundError:
            pass
        file.close()  # while this process waited, another one gave the file its final name


def write_atomically(path: Path, content: bytes | memoryview) -> str:
    """Replace `path` by `content` atomically: at any moment, also after a kill, the file is the old or the new one.

    Returns the SHA-256 of the content.

    Raises:
        UserError: the disk is full or not writable; the old file is unchanged.
    """
    try:
        with opened_temporary(path) as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                os.replace(file.name, path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}. The old file is unchanged: free some space or choose another "
            "place, then run the same command again (a training with --resume)"
        ) from error
    return hashlib.sha256(content).hexdigest()


def remove(path: Path) -> None:
    """Delete a file, if it is there, and what a killed write of it has left."""
    for file in (path, temporary_of(path)):
        file.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: Leaves, meta: dict[str, Any]) -> str:
    """Store arrays and JSON-able `meta` in one .npz file, atomically; returns its SHA-256."""
    buffer = io.BytesIO()
    stored: dict[str, Any] = {META: np.frombuffer(json.dumps(meta).encode(), np.uint8), **arrays}
    np.savez(buffer, **stored)
    return write_atomically(path, buffer.getbuffer())


def read_arrays(path: Path) -> tuple[Leaves, dict[str, Any]]:
    """The inverse of `write_arrays`. Nothing in the file is executed: NumPy refuses pickled objects.

    Raises:
        UserError: the file is damaged, or was not written by `write_arrays`.
        OSError: it cannot be opened.
    """
    with opened_arrays(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
        meta = json.loads(arrays.pop(META).tobytes())
        if not isinstance(meta, dict):
            raise ValueError("its description is not a mapping")
        return arrays, meta


@contextlib.contextmanager
def opened_arrays(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    """The arrays in a file of `write_arrays`, of which only those that are used are read.

    Raises:
        UserError: what is read in the `with` block is damaged, or was not written by `write_arrays`.
        OSError: the file cannot be opened.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            packed = [entry.filename for entry in stored.zip.infolist() if entry.compress_type != zipfile.ZIP_STORED]
            if packed:  # a few bytes could unpack to more than the memory
                raise ValueError(f"{packed[0]} is compressed")
            yield stored
    except DAMAGED as error:
        raise UserError(f"{path} is damaged ({error}). Delete it to train from the start") from error


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
