"""Starts the processes of a job, and says why if one of them fails."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from impls.engine.environment import prepare_environment
from impls.engine.files import read_arrays
from impls.engine.state import Leaves
from impls.errors import UserError
from impls.workers.job import Job, results_file

TORCHRUN = ["-m", "torch.distributed.run", "--standalone"]  # ends all processes if one fails
LAST = 2_000  # characters of messages that are shown if no line of them names an error
ERROR = re.compile(r"(?:\[rank\d+\]: )?((?:\w+\.)*\w*(?:Error|Exception): .*)")


@contextlib.contextmanager
def done(job: Job, module: list[str], threads: int, environment: Mapping[str, str] = {}) -> Iterator[Path]:
    """A context with the file of a job, beside which its processes have written; deleted at its end.

    Args:
        module: what Python runs: `-m` and a module, which gets the path of the job's file.
        threads: of each process.
        environment: further variables of the environment.

    Raises:
        UserError: a process failed.
    """
    with tempfile.TemporaryDirectory(prefix="dni-workers-") as folder:
        path = Path(folder) / "job.json"
        job.write(path)
        prepare_environment(threads, "cpu")
        command = [sys.executable, *module, str(path)]
        result = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
        if result.returncode:
            raise UserError(f"a worker failed: {cause(result.stderr)}")
        yield path


def results(job_file: Path, case: int, workers: int) -> tuple[Leaves, list[dict]]:
    """What all workers have written of a case: the parameters of the whole net by name, and the facts of each."""
    parameters: Leaves = {}
    facts = []
    for k in range(workers):
        own, fact = read_arrays(results_file(job_file, case, k))
        parameters |= own
        facts.append(fact)
    return parameters, facts


def cause(messages: str) -> str:
    r"""The first error that processes have printed; torchrun prints its own summary after it.

    >>> cause("[rank1]: ValueError: no such net\nChildFailedError: worker FAILED")
    'ValueError: no such net'
    """
    found = ERROR.search(messages)
    return found[1] if found else messages.strip()[-LAST:]
