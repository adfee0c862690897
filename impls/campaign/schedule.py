"""The plan of a campaign, which `--dry-run` prints: the jobs in order, with estimated times."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from impls.campaign.job_list import Job
from impls.campaign.job_state import JobState, state_of
from impls.campaign.time_estimates import Rates
from impls.durations import duration

START_SECONDS = 10.0  # from the start of a process to its first step; measurements replace it


@dataclass(frozen=True)
class Entry:
    """One job of the plan: its state, and the iteration from which it is trained."""

    job: Job
    state: JobState
    first: int

    @property
    def iterations(self) -> int:
        """Iterations left to do."""
        return 0 if self.state.done or self.state.status == "damaged" else max(0, self.job.last_iteration - self.first)


def make_plan(jobs: list[Job], out: Path, data: Mapping[str, dict[str, str]] | None = None) -> list[Entry]:
    """Every job with its state in the output folder. `data`, if known: the sha256 of each data set's files."""
    reached: dict[str, int] = {}  # by folder, after the earlier jobs
    entries = []
    for job in jobs:
        now = state_of(job, out, data)
        there = now.iteration if now.status in ("partial", "paused", "complete") else 0
        entries.append(Entry(job, now, max(there, reached.get(job.folder, 0))))
        reached[job.folder] = max(there, job.last_iteration)
    return entries


def describe(entries: list[Entry], rates: Rates, at_once: int, budget_minutes: float | None) -> Iterator[str]:
    """The plan as lines: each job that is not done, and the place where the time runs out."""
    yield (
        f"{at_once} at once, {rates.threads} CPU {'thread' if rates.threads == 1 else 'threads'} each, "
        f"on {rates.device.name} ({rates.device.kind}), {rates.precision}"
    )
    states = ("complete", "paused", "partial", "other", "damaged")
    counts = {state: sum(e.state.status == state for e in entries) for state in states}
    counted = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    yield f"{len(entries)} runs in the list{': ' + counted if counted else ''}"
    yield (
        "times are estimates: counted operations / rate. The rate is that of the same cell, of other cells with the "
        "same method, data set, model or framework, of published runs elsewhere, or a guess"
    )
    yield f"{'replicas':>8} {'iterations':>10} {'operations':>10} {'time':>9} {'in all':>9}  {'rate from':<9} cell"
    slots, over, title = [0.0] * at_once, False, None
    for entry in entries:
        if entry.state.done:
            continue
        job = entry.job
        if job.stage.title != title:
            title = job.stage.title
            yield f"-- {title}"
        if entry.state.status == "other":
            yield f"{'differs in ' + ', '.join(entry.state.differs):>52}  {job.listed_name}"
            continue
        if entry.state.status == "damaged":
            yield f"{'damaged':>52}  {job.listed_name}: {entry.state.damage}"
            continue
        seconds = START_SECONDS + rates.seconds(job, entry.iterations)
        ends = heapq.heappop(slots) + seconds
        heapq.heappush(slots, ends)
        if budget_minutes and not over and ends > 60 * budget_minutes:
            over = True
            yield f"== the {budget_minutes:g} minutes end about here"
        operations = job.operations_per_iteration * entry.iterations
        yield (
            f"{job.replicas:8} {entry.iterations:10} {operations:10.2g} {duration(seconds / 60):>9} "
            f"{duration(ends / 60):>9}  {rates.rate(job).basis:<9} {job.listed_name}"
        )


def minutes_left(entries: list[Entry], rates: Rates, at_once: int) -> float:
    """Estimated minutes until all entries are done, if the jobs share the work evenly."""
    seconds = sum(START_SECONDS + rates.seconds(e.job, e.iterations) for e in entries if e.iterations)
    return seconds / 60 / at_once
