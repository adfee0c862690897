"""Starts the workers of a job in PyTorch, one process for each block, and collects what they found."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from impls.engine.environment import prepare_environment
from impls.engine.files import read_arrays
from impls.engine.state import Leaves
from impls.errors import UserError
from impls.workers.job import Job

LAST_LINES = 2_000  # characters of a worker's messages that are shown if it fails


def run(job: Job, workers: int) -> list[tuple[list[np.ndarray], Leaves]]:
    """Run a job on this machine.

    Returns:
        For each of its cases: when each worker had finished each batch, in seconds of the machine's clock (none for a
        worker without work), and the trained parameters of the whole net by name.

    Raises:
        UserError: a worker failed; its last lines say why.
    """
    with tempfile.TemporaryDirectory(prefix="dni-workers-") as folder:
        path = Path(folder) / "job.json"
        job.write(path)
        prepare_environment(job.threads, "cpu")
        start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={workers}"]
        done = subprocess.run(
            [*start, "-m", "impls.workers.torch_worker", str(path)],
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise UserError(f"a worker failed: {done.stderr.strip()[-LAST_LINES:]}")
        return [_read(Path(folder), number, workers) for number in range(len(job.cases))]


def _read(folder: Path, case: int, workers: int) -> tuple[list[np.ndarray], Leaves]:
    found = [read_arrays(folder / f"case{case}_worker{k}.npz") for k in range(workers)]
    parameters = {name: value for own, _ in found for name, value in own.items()}
    return [np.array(facts["ends"]) for _, facts in found], parameters
