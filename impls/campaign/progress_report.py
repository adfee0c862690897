"""The output of a campaign: a line a minute, `status.json`, and a summary at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from impls.campaign.schedule import Entry, minutes_left
from impls.campaign.supervisor import Outcome, Supervisor
from impls.campaign.training_process import Child, log_of
from impls.durations import duration
from impls.engine.files import write_atomically
from impls.errors import UserError

STATUS = "status.json"
LINE_SECONDS, STATUS_SECONDS = 60.0, 10.0


class Report:
    """Reports the progress of a campaign.

    Args:
        entries: the whole plan.
        started: time of the start, by `time.monotonic`.
    """

    def __init__(self, entries: list[Entry], out: Path, started: float, budget_minutes: float) -> None:
        self.entries, self.out, self.started, self.budget_minutes = entries, out, started, budget_minutes
        self.printed = 0  # outcomes that have been printed
        self.line_at, self.status_at = started, 0.0
        self.status_failed = False  # whether the last write of status.json failed

    def tick(self, supervisor: Supervisor) -> None:
        """Print what is new: the end of a job at once, the rest once a minute."""
        now = time.monotonic()
        for outcome in supervisor.outcomes[self.printed :]:
            say(f"{self._clock()} {_ended(outcome)}")
        if now - self.line_at >= LINE_SECONDS:
            self.line_at = now
            say(f"{self._clock()} {self._line(supervisor)}")
        if now - self.status_at >= STATUS_SECONDS or self.printed < len(supervisor.outcomes):
            self.status_at = now
            self.write_status(supervisor)
        self.printed = len(supervisor.outcomes)

    def write_status(self, supervisor: Supervisor) -> None:
        """Write `status.json`, which shows the state of the running campaign."""
        ended = supervisor.outcomes
        content = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "minutes_since_start": round(self._minutes(), 2),
            "budget_minutes": self.budget_minutes,
            "complete": self._complete(supervisor),
            "listed": len(self.entries),
            "estimated_minutes_of_the_rest": round(self._left(supervisor), 1),
            "running": [_child_entry(child, supervisor) for child in supervisor.running],
            "failed": [
                {"run": o.job.folder, "log": str(log_of(o.job, self.out)), "why": o.text.splitlines()}
                for o in ended
                if o.state == "failed"
            ],
            "ended": [{"run": o.job.folder, "state": o.state, "iteration": o.iteration} for o in ended],
            "waiting": [entry.job.folder for entry in supervisor.waiting],
        }
        try:
            write_atomically(self.out / STATUS, (json.dumps(content, indent=1) + "\n").encode())
            self.status_failed = False
        except UserError as error:  # such as a full disk; the trainings continue, and say so themselves if they cannot
            if not self.status_failed:
                say(f"{self._clock()} {error}")
            self.status_failed = True

    def summary(self, supervisor: Supervisor) -> Iterator[str]:
        """Lines that list what was done, what failed and why, and the estimated time of the rest."""
        for state, words in (("complete", "complete"), ("paused", "left as an interim result"), ("partial", "partial")):
            found = [o for o in supervisor.outcomes if o.state == state]
            yield from (_ended(o) for o in found)
            if found:
                yield f"-- {len(found)} {words} in this call"
        for outcome in supervisor.outcomes:
            if outcome.state == "failed":
                yield f"failed: {outcome.job.label}; log: {log_of(outcome.job, self.out)}"
                yield from (f"    {line}" for line in outcome.text.splitlines())
        kept = [entry for entry in self.entries if entry.state.status == "other"]
        if kept:
            yield f"{len(kept)} made by other code or settings, left as they are (--changed restart trains them again)"
        complete, listed = self._complete(supervisor), len(self.entries)
        left = max(0.0, self.budget_minutes - self._minutes())
        yield (
            f"{complete} of {listed} runs of the list done; the rest takes {duration(self._left(supervisor))} "
            f"by estimate; {left:.1f} of {self.budget_minutes:g} minutes left"
        )
        if complete < listed:
            yield f"to continue: the same command with --resume {self.out}"

    def _line(self, supervisor: Supervisor) -> str:
        running = "; ".join(
            f"{child.job.label} {child.iteration / child.job.last_iteration:.1%}" for child in supervisor.running
        )
        failed = sum(o.state == "failed" for o in supervisor.outcomes)
        return (
            f"{self._complete(supervisor)} of {len(self.entries)} done{f', {failed} failed' if failed else ''}; "
            f"running: {running or 'nothing'}; the rest takes {duration(self._left(supervisor))} by estimate"
        )

    def _complete(self, supervisor: Supervisor) -> int:
        before = sum(entry.state.done for entry in self.entries)
        return before + sum(o.state in ("complete", "paused") for o in supervisor.outcomes)

    def _left(self, supervisor: Supervisor) -> float:
        """Estimated minutes of the waiting, running and stopped jobs; failed jobs are not counted."""
        entries = list(supervisor.waiting)
        entries += [Entry(c.job, c.entry.state, c.iteration) for c in supervisor.running]
        stopped = {o.job: o.iteration for o in supervisor.outcomes if o.state == "partial"}
        entries += [Entry(e.job, e.state, stopped[e.job]) for e in self.entries if e.job in stopped]
        return minutes_left(entries, supervisor.rates, supervisor.at_once)

    def _minutes(self) -> float:
        return (time.monotonic() - self.started) / 60

    def _clock(self) -> str:
        return f"[{self._minutes():.1f} of {self.budget_minutes:g} min]"


def say(line: str) -> None:
    """Print a line at once, even if the output is a file."""
    print(line, flush=True)


def _ended(outcome: Outcome) -> str:
    words = {"complete": "complete", "paused": "interim result", "partial": "stopped", "failed": "FAILED"}
    more = outcome.text.splitlines()[0] if outcome.text else ""
    return f"{words[outcome.state]} at {outcome.iteration}: {outcome.job.label}{f' ({more})' if more else ''}"


def _child_entry(child: Child, supervisor: Supervisor) -> dict[str, object]:
    left = supervisor.rates.seconds(child.job, max(0, child.job.last_iteration - child.iteration))
    return {
        "run": child.job.folder,
        "process": child.process.pid,
        "iteration": child.iteration,
        "of": child.job.last_iteration,
        "estimated_minutes_left": round(left / 60, 1),
        "log": str(child.log),
    }
