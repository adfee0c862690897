"""How long real workers take to an error: the iterations of the curves times the seconds that a batch takes.

A run is the schedule of the workers in one process, which gives the same numbers. How long a batch takes was measured
with workers on this machine, without evaluations (`impls.workers`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from impls.workers.schedules import ALL_WAIT
from impls.workers.times import ScheduleTimes, WorkerTimes
from paper_figures.claims.paired_runs import first_at_or_below
from paper_figures.claims.single_run import Measure, Reading, empty_reading, obstacles
from paper_figures.runs import Run

GOAL = 2.0  # percent of test error
NOT_MEASURED = "no times of workers: `snakemake unlocked` or `python -m impls workers` measures them"


def is_timed_by(run: Run, times: ScheduleTimes) -> bool:
    """Whether workers with this schedule and link compute what a run did. Backpropagation waits, however long."""
    same_delay = times.method == "bprop" or times.link_delay == run.cell["link_delay"]
    return times.method == run.cell["method"] and same_delay


def other_net(run: Run, times: WorkerTimes) -> list[str]:
    """The fields in which the net that was timed is another than that of a run."""
    return [name for name, value in times.spec.items() if run.record.spec.get(name, value) != value]


def seconds_to(goal: float, run: Run, times: ScheduleTimes, split: str = "test") -> pd.Series:
    """By seed, the seconds until the error of a run is first at `goal` or below; infinite if it never is."""
    curve = run.curve(split, "error")
    return pd.Series({seed: times.mean * first_at_or_below(curve[seed], goal) for seed in curve})


def fraction_of_seconds(run: Run, measure: Measure, iteration: int, reference: Run) -> Reading:
    """The seconds that unlocked workers need to `GOAL`, over those of the fastest workers that all wait, by seed.

    The link of both is the one that was timed with the run's delay in ticks. The interval is over seeds; the times are
    the means of all starts. A replica of the reference that never comes so low is left out, and the claim is then not
    comparable.
    """
    found = tuple(dict.fromkeys([*obstacles(run, iteration), *obstacles(reference, iteration)]))
    if run.times is None:
        return empty_reading(NOT_MEASURED, found)
    own = next((one for one in run.times.times if one.schedule == "unlocked" and is_timed_by(run, one)), None)
    others = [run.times.of(schedule, own.link_delay_ms) for schedule in ALL_WAIT] if own else []
    if own is None or None in others:
        return empty_reading("not all schedules were timed on the link of this run", found)
    if different := other_net(run, run.times):
        return empty_reading(f"the times are those of another net: {', '.join(different)}", found)
    fastest = min((one for one in others if one), key=lambda one: one.mean)
    seconds, goal = seconds_to(GOAL, run, own), seconds_to(GOAL, reference, fastest)
    both = [seed for seed in seconds.index if seed in goal.index]
    seeds = [seed for seed in both if np.isfinite(goal[seed])]
    if len(seeds) < len(both):
        found += (f"{len(both) - len(seeds)} replicas of the reference did not reach {GOAL:g}%",)
    if not seeds:
        return empty_reading(f"no replica of the reference reached {GOAL:g}% in {iteration} iterations", found)
    return Reading(seconds[seeds] / goal[seeds], run.record.iteration_reached, found)
