"""Environment variables that the frameworks read when they are imported: set them before. And their caches' place."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from impls.data.download import cache_directory
from impls.engine.machine import cpu_name


def prepare_environment(threads: int) -> None:
    """Limit both frameworks to `threads` cores, and set up PyTorch's barriers, memory, cache; what a user set stays.

    A PyTorch thread that waits for another spins at first; by default so long that, where anything else wants the
    core, a step took ten times as long. A short spin costs nothing on an idle machine. Large pages save a twentieth.
    """
    os.environ |= {"OMP_NUM_THREADS": str(threads), "NPROC": str(threads)}
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(program_directory("torch")))


def program_directory(framework: str) -> Path:
    """Where compiled programs are kept, apart for each kind of processor: a second run starts without compiling."""
    return cache_directory() / framework / hashlib.sha256(cpu_name().encode()).hexdigest()[:8]
