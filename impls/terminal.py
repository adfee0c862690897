"""What `snakemake` shows in a terminal: a line a minute, each failure with the end of its log, and how it ended.

Snakemake's own lines, with the files and the command of each job, still go to the log that it keeps of every call.
"""

from __future__ import annotations

import logging
import signal
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake_interface_executor_plugins.settings import ExecMode

from impls.durations import duration
from impls.training_logs import Bar, is_unfinished, last_bar, last_lines

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

Estimate = Callable[[Mapping[str, int]], Iterable[str]]

LINE_SECONDS = 60
LONGEST_LINE = 240
SNAKEMAKE_HANDLER = "DefaultStreamHandler"  # prints Snakemake's own lines
NOTHING_TO_DO = "Nothing to be done"
TRAINING = "train_"  # how the names of the rules that train begin
NOISE = ("Singularity containers", "Using shell", "Assuming unrestricted shared", "Cannot restore", "Exiting because")


class Terminal(logging.Handler):
    """Prints the progress of a workflow to stderr.

    Args:
        at_end: prints what was found; called after the last job, and if there was nothing to do.
        estimate: how long trainings take, as lines, from their number by experiment.
    """

    def __init__(self, at_end: Callable[[], None], estimate: Estimate) -> None:
        super().__init__()
        self.at_end, self.estimate = at_end, estimate
        self.started = time.monotonic()
        self.total: Counter[str] = Counter()  # jobs by rule
        self.jobs: dict[int, dict[str, Any]] = {}  # what Snakemake says of each job
        self.running: dict[int, float] = {}  # job -> its start
        self.seconds: dict[str, list[float]] = {}  # of the finished jobs of each rule
        self.most_at_once = 0
        self.failed: dict[int, str] = {}  # job -> its rule; not those that are tried again
        self.unfinished: dict[int, str] = {}  # the same, of trainings that saved a checkpoint and stopped
        self.interrupted = False
        self.ended = threading.Event()
        self.events = {
            None: self._on_message,
            "run_info": self._on_run_info,
            "job_info": self._on_job_info,
            "job_finished": self._on_job_finished,
            "job_error": self._on_job_error,
            "error": self._on_error,
        }

    def emit(self, record: logging.LogRecord) -> None:
        """Print what a reader needs of a record of Snakemake's."""
        try:
            on_event = self.events.get(getattr(record, "event", None))
            if on_event:
                on_event(record)
        except Exception:  # as in any handler: a fault in printing must not stop the work
            self.handleError(record)

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Stop the workflow at the first Ctrl-C; at further ones only say so."""
        if self.interrupted:
            return say("Still stopping.")
        self.interrupted = True
        say("Stopping. Each training saves a checkpoint first.")
        raise KeyboardInterrupt

    def close(self) -> None:
        """End the lines."""
        self.ended.set()
        super().close()

    def line(self) -> str:
        """How far the workflow is."""
        minutes, left = (time.monotonic() - self.started) / 60, self.seconds_left()
        parts = [f"{duration(minutes)}: {self._done()} of {self.total.total()} jobs done"]
        parts += self._not_done()
        parts += [f"about {duration(left / 60)} left"] if left is not None else []
        running = "; ".join(_name(self.jobs[job]) + _bar_text(self.jobs[job]) for job in list(self.running))
        return _shortened(f"{', '.join(parts)}; running: {running or 'nothing'}")

    def seconds_left(self) -> float | None:
        """Seconds until all jobs are done; None: not known yet.

        The log of a running training has an estimate. Any other job takes as long as the mean of those of its rule, or
        else of its kind (trainings, others).
        """
        now = time.monotonic()
        taken = {rule: list(seconds) for rule, seconds in self.seconds.items()}
        running: dict[str, list[tuple[float, float | None]]] = {}  # by rule: seconds since the start, seconds left
        for job, start in list(self.running.items()):
            rule, bar = self.jobs[job]["rule_name"], _bar(self.jobs[job])
            elapsed, left = now - start, bar.seconds_left if bar else None
            running.setdefault(rule, []).append((elapsed, left))
            if left is not None:
                taken.setdefault(rule, []).append(elapsed + left)
        all_left = 0.0
        for rule, total in self.total.items():
            like = taken.get(rule) or [s for other in taken if _alike(rule, other) for s in taken[other]]
            if not like and rule.startswith(TRAINING):
                return None
            mean = statistics.fmean(like) if like else 0.0
            of_rule = running.get(rule, [])
            ended = [*self.failed.values(), *self.unfinished.values()].count(rule)
            waiting = total - len(self.seconds.get(rule, [])) - ended - len(of_rule)
            all_left += mean * max(0, waiting)
            all_left += sum(max(0.0, mean - elapsed) if left is None else left for elapsed, left in of_rule)
        return all_left / max(1, self.most_at_once)

    def _on_run_info(self, record: Any) -> None:
        if self.total:
            return
        self.total = Counter({rule: count for rule, count in record.stats.items() if rule != "total"})
        trainings = sum(count for rule, count in self.total.items() if rule.startswith(TRAINING))
        say(
            f"{trainings} trainings and {self.total.total() - trainings} other jobs. "
            "Ctrl-C stops them; the same command goes on."
        )
        say_estimate(record, self.estimate)
        threading.Thread(target=self._print_lines, daemon=True).start()

    def _on_job_info(self, record: Any) -> None:
        self.jobs[record.jobid] = vars(record)
        self.failed.pop(record.jobid, None)
        self.unfinished.pop(record.jobid, None)
        self.running[record.jobid] = time.monotonic()
        self.most_at_once = max(self.most_at_once, len(self.running))

    def _on_job_finished(self, record: Any) -> None:
        seconds = time.monotonic() - self.running.pop(record.job_id)
        self.seconds.setdefault(self.jobs[record.job_id]["rule_name"], []).append(seconds)

    def _on_job_error(self, record: Any) -> None:
        self.running.pop(record.jobid, None)
        if self.interrupted:
            return
        if any(is_unfinished(Path(log)) for log in record.log):
            self.unfinished[record.jobid] = record.rule_name
            return
        self.failed[record.jobid] = record.rule_name
        say(f"FAILED: {_name(self.jobs[record.jobid])}")
        for log in record.log:
            for line in last_lines(Path(log)):
                say(f"    {line}")
            say(f"    log: {log}")
        if record.shellcmd:
            say(f"    command: {record.shellcmd.strip()}")

    def _on_message(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text.startswith(NOTHING_TO_DO):
            say("Nothing to do: everything is up to date.")
            self.at_end()
        elif self.interrupted or text.startswith(NOISE):
            return
        elif record.levelno >= logging.WARNING or not self.total:  # before the first job also what is no warning
            say(text)

    def _on_error(self, record: Any) -> None:
        if self.ended.is_set() or record.exception == "RuleException":  # of a job, whose failure is printed
            return
        if self.interrupted:
            self.ended.set()
            say("Stopped. Nothing is lost: the same command goes on.")
        elif self.failed or self.unfinished:
            parts = [f"{self._done()} of {self.total.total()} jobs are done", *self._not_done()]
            say(f"{', '.join(parts)}. The same command goes on with the rest.")
        else:
            say(record.getMessage())

    def _done(self) -> int:
        return sum(map(len, self.seconds.values()))

    def _not_done(self) -> list[str]:
        counts = {"stopped before their end": len(self.unfinished), "failed": len(self.failed)}
        return [f"{count} {what}" for what, count in counts.items() if count]

    def _print_lines(self) -> None:
        while not self.ended.wait(LINE_SECONDS):
            say(self.line())


class Plan(logging.Handler):
    """Adds the estimated time to Snakemake's own plan (-n)."""

    def __init__(self, estimate: Estimate) -> None:
        super().__init__()
        self.estimate = estimate

    def emit(self, record: logging.LogRecord) -> None:
        """Print it before the plan; Snakemake counts the jobs before and after it."""
        if getattr(record, "event", None) == "run_info":
            logger.removeHandler(self)
            say_estimate(record, self.estimate)


def show_in_terminal(workflow: Workflow, at_end: Callable[[], None], estimate: Estimate) -> None:
    """Print as a `Terminal`, in place of Snakemake's own lines, where `workflow` runs jobs.

    A plan (-n), --verbose, --quiet all, and jobs on other machines keep Snakemake's lines.
    """
    settings = workflow.output_settings
    own = [handler for handler in logger.handlers if handler.name == SNAKEMAKE_HANDLER]
    quiet = not own or settings.verbose or Quietness.ALL in (settings.quiet or ())
    if quiet or workflow.exec_mode != ExecMode.DEFAULT:
        return
    if settings.dryrun:
        logger.addHandler(Plan(estimate))
        return
    terminal = Terminal(at_end, estimate)
    logger.removeHandler(own[0])
    logger.addHandler(terminal)
    signal.signal(signal.SIGINT, terminal.interrupt)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, file=sys.stderr, flush=True)


def say_estimate(run_info: Any, estimate: Estimate) -> None:
    """Print how long the trainings of a call take that Snakemake has counted by rule."""
    trainings = {
        rule.removeprefix(TRAINING): count for rule, count in run_info.stats.items() if rule.startswith(TRAINING)
    }
    for line in estimate(trainings):
        say(line)


def _shortened(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 3] + "..."


def _alike(rule: str, other: str) -> bool:
    return rule.startswith(TRAINING) == other.startswith(TRAINING)


def _name(job: dict[str, Any]) -> str:
    """A job in words, such as `feedforward mnist fcn 4 dni (jax)`, or the first file that it makes."""
    rule, wildcards = job["rule_name"], dict(job["wildcards"])
    if not rule.startswith(TRAINING):
        return Path(job["output"][0]).name if job["output"] else rule
    framework = wildcards.pop("framework", None)
    return f"{rule.removeprefix(TRAINING)} {' '.join(wildcards.values())} ({framework})"


def _bar(job: dict[str, Any]) -> Bar | None:
    return last_bar(Path(job["log"][0])) if job["log"] else None


def _bar_text(job: dict[str, Any]) -> str:
    bar = _bar(job)
    return "" if bar is None else f" {bar.percent}%" if bar.percent else f" {bar.doing}"
