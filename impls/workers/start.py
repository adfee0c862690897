"""Starts the processes of a job, and says why if one of them fails."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from impls.engine.environment import prepare_environment
from impls.errors import UserError
from impls.workers.job import Job

LAST = 2_000  # characters of messages that are shown if no line of them names an error
ERROR = re.compile(r"(?:\[rank\d+\]: )?((?:\w+\.)*\w*(?:Error|Exception): .*)")


@contextlib.contextmanager
def done(job: Job, module: list[str], threads: int) -> Iterator[Path]:
    """A context with the folder into which the processes of a job have written, deleted at its end.

    Args:
        module: what Python runs: `-m` and a module, which gets the path of the job's file.
        threads: of each process.

    Raises:
        UserError: a process failed.
    """
    with tempfile.TemporaryDirectory(prefix="dni-workers-") as folder:
        path = Path(folder) / "job.json"
        job.write(path)
        prepare_environment(threads, "cpu")
        command = [sys.executable, *module, str(path)]
        result = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
        if result.returncode:
            raise UserError(f"a worker failed: {cause(result.stderr)}")
        yield Path(folder)


def cause(messages: str) -> str:
    r"""The first error that processes have printed; torchrun prints its own summary after it.

    >>> cause("[rank1]: ValueError: no such net\nChildFailedError: worker FAILED")
    'ValueError: no such net'
    """
    found = ERROR.search(messages)
    return found[1] if found else messages.strip()[-LAST:]
