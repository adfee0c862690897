"""Environment variables that the frameworks read when they are imported, and the folders of their caches."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
import warnings
from functools import cache
from pathlib import Path

from impls.data.download import cache_directory
from impls.engine.machine import cpu_name, usable_cpus


def threads_of(given: int | None) -> int:
    """The number of threads: the given one, or else $OMP_NUM_THREADS, or else all cores that this process may use."""
    named = os.environ.get("OMP_NUM_THREADS", "")
    return given or (int(named) if named.isdecimal() and int(named) else usable_cpus())


def prepare_environment(threads: int, device: str = "auto") -> None:
    """Limit both frameworks to `threads` cores, and set up PyTorch's barriers, memory and cache.

    Call it before a framework is imported. Other variables that the user has set are kept, except for JAX's choice of
    a device where `device` is cpu.

    A PyTorch thread that waits for another one spins first. By default it spins so long that a step takes ten times as
    long if another process needs the core. A short spin costs nothing on an idle machine. Large pages save 5%.
    """
    os.environ |= {"OMP_NUM_THREADS": str(threads), "NPROC": str(threads)}
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
    if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(program_directory("torch"))


@cache
def program_directory(framework: str) -> Path:
    """The folder of compiled programs, one for each kind of processor. A second run starts without compiling.

    If it cannot be written there is a warning, and a temporary folder, which is deleted when the process ends.
    """
    folder = cache_directory() / framework / hashlib.sha256(cpu_name().encode()).hexdigest()[:8]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
        reason = "Permission denied"
    except OSError as error:
        reason = str(error.strerror)
    warnings.warn(  # once for both frameworks: Python shows the same text from the same line once
        f"compiled programs cannot be kept in {cache_directory()} ({reason}), so each run compiles again: set "
        "DNI_CACHE_DIR to a folder that can be written",
        stacklevel=1,
    )
    temporary = tempfile.mkdtemp(prefix="dni-programs-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return Path(temporary)
