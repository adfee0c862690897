"""Runs the jobs of a plan, several at once, until all are done or the time is over. A failed job stops no other."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from filelock import FileLock, Timeout

from impls.campaign.device import SHARE_OF_MEMORY
from impls.campaign.job_list import Job
from impls.campaign.job_state import record_of, state_of
from impls.campaign.schedule import START_SECONDS, Entry
from impls.campaign.time_estimates import Rates
from impls.campaign.training_process import Child, Progress
from impls.command_line import UNFINISHED, in_words
from impls.engine.launches import STEPS_PER_LAUNCH
from impls.engine.run_folder import CHECKPOINT
from impls.engine.stop_signals import handling

POLL_SECONDS = 0.2
STOP_SECONDS = 3.0  # time to stop a process, apart from the part that depends on its cell
WRITE_BYTES_PER_SECOND = 50e6  # of a checkpoint, including the copy from the device and the synchronisation
LOCK_SECONDS = 60.0  # how long a training of an earlier campaign may hold a folder


class Outcome(NamedTuple):
    """How a job ended in this call."""

    job: Job
    state: Literal["complete", "paused", "partial", "failed"]
    iteration: int
    text: str  # why it failed, or which replicas diverged


class Supervisor:
    """The jobs that wait, run and have ended.

    Args:
        deadline: gives the time, by `time.monotonic`, at which every training must have ended.
        tick: called several times a second, for reports.
    """

    def __init__(
        self,
        entries: list[Entry],
        out: Path,
        data: Mapping[str, dict[str, str]],
        rates: Rates,
        *,
        at_once: int,
        checkpoint_minutes: float,
        deadline: Callable[[], float],
        tick: Callable[[Supervisor], None],
    ) -> None:
        self.waiting = [entry for entry in entries if entry.iterations]
        self.out, self.data, self.rates, self.at_once = out, data, rates, at_once
        self.checkpoint_minutes, self.deadline, self.tick = checkpoint_minutes, deadline, tick
        self.running: list[Child] = []
        self.outcomes = [
            Outcome(entry.job, "failed", 0, entry.state.damage) for entry in entries if entry.state.status == "damaged"
        ]
        self.start_seconds = START_SECONDS  # from the start of a process to its first step; the longest so far
        self.stop_factor = 1.0  # longest time to stop so far, relative to its estimate
        self.signals = 0  # stop signals that this process has received
        self.held_since: dict[str, float] = {}  # folders that another process trains into
        self.waits_for_held = False

    def run(self) -> None:
        """Run the jobs; returns when none runs any more. `signals` then counts the stop signals."""
        with handling(self._note_signal):
            try:
                while True:
                    for child in list(self.running):
                        self._look(child)
                    if not self.signals:
                        self._start_what_fits()
                    self.tick(self)
                    if not self.running and (self.signals or not self.waits_for_held):
                        return
                    time.sleep(POLL_SECONDS)
            finally:
                for child in self.running:  # only if this process itself fails
                    child.process.terminate()

    def _note_signal(self, _number: int, _frame: object) -> None:
        self.signals += 1

    def _look(self, child: Child) -> None:
        """Settle a training that has ended. Learn from one that runs, and stop it when its time is over."""
        if child.process.poll() is not None:
            self._settle(child)
            return
        self.rates.learn(child.job, *child.progress())
        left = self.deadline() - time.monotonic()
        if left <= 0:
            child.times_asked += 1
            child.process.kill()  # the work since its last checkpoint is lost
            return
        pause = child.job.stage.pause_at
        is_time = left <= self._stop_seconds(child.job) or (pause and child.iteration >= pause)
        # A second signal is passed on: the user wants to stop at once.
        if child.times_asked < max(min(self.signals, 2), int(bool(is_time))):
            child.stop()

    def _settle(self, child: Child) -> None:
        self.running.remove(child)
        job, code = child.job, child.process.returncode
        done = child.progress()
        now = state_of(job, self.out, self.data)
        record = None if now.status == "damaged" else record_of(job, self.out)
        if now.status == "complete" and record is not None and record.model_steps_per_second:
            # The checkpoint is gone; the record has the sums of all sessions.
            seconds = len(record.seeds) * record.iteration_reached / record.model_steps_per_second
            reached = Progress(record.iteration_reached, seconds + record.evaluation_seconds)
            done = Progress(reached.iterations - child.before.iterations, reached.seconds - child.before.seconds)
        self.rates.learn(job, *done)
        if done.iterations:
            self.start_seconds = max(self.start_seconds, time.monotonic() - child.started - done.seconds)
        if child.asked_at is not None:
            self.stop_factor = max(self.stop_factor, (time.monotonic() - child.asked_at) / self._stop_estimate(job))
        stopped = code == UNFINISHED or (child.times_asked and code in (130, -signal.SIGTERM, -signal.SIGKILL))
        if now.done:
            diverged = record.diverged_seeds if record is not None else []
            text = f"diverged: seeds {', '.join(map(str, diverged))}" if diverged else ""
            self.outcomes.append(
                Outcome(job, "complete" if now.status == "complete" else "paused", now.iteration, text)
            )
        elif now.status == "damaged":
            self.outcomes.append(Outcome(job, "failed", 0, now.damage))
        elif stopped:
            self.outcomes.append(Outcome(job, "partial", now.iteration, ""))
        else:
            self.outcomes.append(Outcome(job, "failed", now.iteration, child.why_failed()))

    def _start_what_fits(self) -> None:
        """Start waiting jobs in order, as far as the number of jobs, the memory and the time allow."""
        self.waits_for_held = False
        if self.deadline() - time.monotonic() < self.start_seconds:
            return
        for entry in list(self.waiting):
            if len(self.running) >= self.at_once or not self._has_memory(entry.job):
                return
            if entry.job.name in {child.job.name for child in self.running}:
                continue
            seconds = self._seconds_for(entry)
            if seconds <= 0:
                continue
            try:
                if not self._is_held(entry):
                    self.waiting.remove(entry)
                    self.running.append(self._child(entry, seconds))
            except OSError as error:  # its folder or its log cannot be made
                self.waiting = [other for other in self.waiting if other is not entry]
                self.outcomes.append(Outcome(entry.job, "failed", entry.state.iteration, in_words(error)))

    def _child(self, entry: Entry, seconds: float) -> Child:
        return Child(
            Entry(entry.job, state_of(entry.job, self.out, self.data), entry.first),
            self.out,
            threads=self.rates.threads,
            seconds=seconds,
            checkpoint_minutes=self.checkpoint_minutes,
            shares_gpu=self.rates.device.kind == "cuda" and self.at_once > 1,
        )

    def _has_memory(self, job: Job) -> bool:
        """Whether a job fits into memory beside the running ones. A single job is always tried."""
        if not self.running or self.rates.device.memory is None:
            return True
        needed = sum(self.rates.peak_memory(other) for other in (job, *(child.job for child in self.running)))
        return needed <= SHARE_OF_MEMORY * self.rates.device.memory

    def _seconds_for(self, entry: Entry) -> float:
        """Seconds that a job may train if it starts now; zero if it could not reach a checkpoint in time."""
        left = self.deadline() - time.monotonic() - self._stop_seconds(entry.job)
        return left if left > self.start_seconds else 0.0

    def _stop_seconds(self, job: Job) -> float:
        """How many seconds before the deadline a job is told to stop."""
        return self.stop_factor * self._stop_estimate(job)

    def _stop_estimate(self, job: Job) -> float:
        """Estimated seconds that a job takes to stop: the current launch, an evaluation, and writing."""
        launch = self.rates.seconds(job, STEPS_PER_LAUNCH[self.rates.device.kind])
        path = self.out / job.folder / CHECKPOINT
        size = path.stat().st_size if path.is_file() else 0
        return STOP_SECONDS + 2 * launch + size / WRITE_BYTES_PER_SECOND

    def _is_held(self, entry: Entry) -> bool:
        """Whether another process trains into the job's folder. After a minute of waiting the job fails."""
        folder = self.out / entry.job.folder
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / ".lock").acquire(timeout=0):
                self.held_since.pop(entry.job.folder, None)
                return False
        except Timeout:
            since = self.held_since.setdefault(entry.job.folder, time.monotonic())
            if time.monotonic() - since > LOCK_SECONDS:
                self.waiting.remove(entry)
                text = f"another process is training into {folder}: wait for it, or stop it"
                self.outcomes.append(Outcome(entry.job, "failed", entry.state.iteration, text))
            else:
                self.waits_for_held = True
            return True
