"""Environment variables that the frameworks read when they are imported, and the folders of their caches."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from impls.data.download import cache_directory
from impls.engine.machine import cpu_name


def prepare_environment(threads: int) -> None:
    """Limit both frameworks to `threads` cores, and set up PyTorch's barriers, memory and cache.

    Call it before a framework is imported. Variables that the user has set are kept.

    A PyTorch thread that waits for another one spins first. By default it spins so long that a step takes ten times as
    long if another process needs the core. A short spin costs nothing on an idle machine. Large pages save 5%.
    """
    os.environ |= {"OMP_NUM_THREADS": str(threads), "NPROC": str(threads)}
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(program_directory("torch")))


def program_directory(framework: str) -> Path:
    """The folder of compiled programs, one for each kind of processor. A second run starts without compiling."""
    return cache_directory() / framework / hashlib.sha256(cpu_name().encode()).hexdigest()[:8]
