"""The source files on which the times of workers depend."""

from __future__ import annotations

from impls.sources import ROOT, with_imports

HERE = ROOT / "impls" / "workers"


def workers_sources() -> list[str]:
    """Sorted paths, relative to the repository's root."""
    return with_imports([HERE / "measure.py", HERE / "torch_worker.py"], ("impls",))
