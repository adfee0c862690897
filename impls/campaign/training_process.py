"""One training of a campaign, in its own process."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from impls.campaign.job_list import Job
from impls.campaign.schedule import Entry
from impls.engine.run_folder import CHECKPOINT, Checkpoint, read_checkpoint
from impls.parent_watch import PARENT
from impls.presets import train_command
from impls.training_logs import last_lines


class Progress(NamedTuple):
    """The progress of a training: iterations, and seconds of training and evaluation."""

    iterations: int
    seconds: float


class Child:
    """A training that runs.

    Args:
        seconds: time after which it stops by itself.
        shares_gpu: whether other trainings use the same GPU.
    """

    def __init__(
        self, entry: Entry, out: Path, *, threads: int, seconds: float, checkpoint_minutes: float, shares_gpu: bool
    ) -> None:
        self.entry, self.job = entry, entry.job
        job = self.job
        self.path = out / self.job.folder / CHECKPOINT
        self.log = log_of(self.job, out)
        self.started = time.monotonic()
        self.asked_at: float | None = None  # time of the first request to stop
        self.times_asked = 0
        self.seen: tuple[int, ...] = ()  # which checkpoint was read last
        self.checkpoint: Checkpoint | None = None
        self._read()
        # The progress of a resumed checkpoint does not count for this process.
        self.before = self._reached() if entry.state.status == "partial" else Progress(0, 0.0)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        words = shlex.split(train_command(job.preset, job.experiment, job.cell, job.framework, self.path.parent))[3:]
        words += ["--threads", str(threads), "--resume", "--max-minutes", f"{seconds / 60:.3f}"]
        words += ["--checkpoint-minutes", f"{checkpoint_minutes:g}"]
        environment = os.environ | {PARENT: str(os.getpid())}
        if shares_gpu:  # by default JAX's first process takes three quarters of the memory
            environment.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        with open(self.log, "a") as log:
            log.write(f"\n--- {datetime.now(UTC).isoformat(timespec='seconds')} {shlex.join(words)}\n")
            log.flush()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "impls", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches the campaign alone, which passes it on
            )

    def progress(self) -> Progress:
        """The progress of this process, up to its last checkpoint."""
        self._read()
        now = self._reached()
        return Progress(now.iterations - self.before.iterations, now.seconds - self.before.seconds)

    @property
    def iteration(self) -> int:
        """The iteration of the last checkpoint."""
        return self._reached().iterations

    def stop(self) -> None:
        """Request a stop at a checkpoint. A second request stops the training at once."""
        self.times_asked += 1
        self.asked_at = self.asked_at or time.monotonic()
        self.process.send_signal(signal.SIGTERM)

    def why_failed(self) -> str:
        """The exit code in words, and the last lines of its log."""
        code = self.process.returncode
        reason = f"exit code {code}"
        if code < 0:
            reason = f"ended by {signal.Signals(-code).name}"
            reason += ", as when memory runs out" if code == -signal.SIGKILL else ""
        return "\n".join([reason, *last_lines(self.log)])

    def _reached(self) -> Progress:
        return Progress(self.checkpoint.iteration, self.checkpoint.seconds) if self.checkpoint else Progress(0, 0.0)

    def _read(self) -> None:
        """Read the checkpoint if it is another one than the last; its time may lie in the future."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return
        now = (found.st_ino, found.st_mtime_ns, found.st_size)
        if now != self.seen:
            self.seen = now
            self.checkpoint = read_checkpoint(self.path) or self.checkpoint


def log_of(job: Job, out: Path) -> Path:
    """The path of a training's log."""
    return out / "logs" / f"{job.folder}.log"
