"""Runs a job in PyTorch, with one process for each block, and collects what they found."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from impls.engine.files import read_arrays
from impls.engine.state import Leaves
from impls.workers.job import Job
from impls.workers.start import done

TORCHRUN = ["-m", "torch.distributed.run", "--standalone"]


def run(job: Job, workers: int) -> list[tuple[list[np.ndarray], Leaves]]:
    """Run a job on this machine.

    Returns:
        For each of its cases: when each worker had finished each batch, in seconds of the machine's clock (none for a
        worker without work), and the trained parameters of the whole net by name.

    Raises:
        UserError: a worker failed.
    """
    worker = [*TORCHRUN, f"--nproc-per-node={workers}", "-m", "impls.workers.torch_worker"]
    with done(job, worker, job.threads) as folder:
        return [_read(folder, number, workers) for number in range(len(job.cases))]


def _read(folder: Path, case: int, workers: int) -> tuple[list[np.ndarray], Leaves]:
    found = [read_arrays(folder / f"case{case}_worker{k}.npz") for k in range(workers)]
    parameters = {name: value for own, _ in found for name, value in own.items()}
    return [np.array(facts["ends"]) for _, facts in found], parameters
