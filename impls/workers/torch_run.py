"""Runs a job in PyTorch, with one process for each block, and collects what they found."""

from __future__ import annotations

import numpy as np

from impls.engine.state import Leaves
from impls.workers.job import Job
from impls.workers.start import TORCHRUN, done, results


def run(job: Job, workers: int) -> list[tuple[list[np.ndarray], Leaves]]:
    """Run a job on this machine.

    Returns:
        For each of its cases: when each worker had finished each batch, in seconds of the machine's clock (none for a
        worker without work), and the trained parameters of the whole net by name.

    Raises:
        UserError: a worker failed.
    """
    worker = [*TORCHRUN, f"--nproc-per-node={workers}", "-m", "impls.workers.torch_worker"]
    with done(job, worker, job.threads) as job_file:
        found = [results(job_file, number, workers) for number in range(len(job.cases))]
    return [([np.array(fact["ends"]) for fact in facts], parameters) for parameters, facts in found]
