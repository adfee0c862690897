"""How long real workers take to an error: the iterations of the curves times the seconds that a batch takes.

A run is the schedule of the workers in one process, which gives the same numbers. How long a batch takes was measured
with workers on this machine, without evaluations (`impls.workers`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from impls.workers.schedules import ALL_WAIT
from impls.workers.times import ScheduleTimes
from paper_figures.claims.paired_runs import first_at_or_below
from paper_figures.claims.single_run import Measure, Reading, empty_reading, obstacles
from paper_figures.runs import Run

GOAL = 2.0  # percent of test error
NOT_MEASURED = "no times of workers: `snakemake unlocked` or `python -m impls workers` measures them"


def seconds_to(goal: float, run: Run, times: ScheduleTimes) -> pd.Series:
    """By seed, the seconds until the test error of a run is first at `goal` or below; infinite if it never is."""
    curve = run.curve("test", "error")
    batch = float(np.mean(times.seconds_per_batch))
    return pd.Series({seed: batch * first_at_or_below(curve[seed], goal) for seed in curve})


def fraction_of_seconds(run: Run, measure: Measure, iteration: int, reference: Run) -> Reading:
    """The seconds that unlocked workers need to `GOAL`, over those of the fastest workers that all wait, by seed.

    The link of both is the one that was timed with the run's delay in ticks.
    """
    found = tuple(dict.fromkeys([*obstacles(run, iteration), *obstacles(reference, iteration)]))
    if run.times is None:
        return empty_reading(NOT_MEASURED, found)
    own = next((one for one in run.times.times if _is_of(run, one)), None)
    others = [run.times.of(schedule, own.link_delay_ms) for schedule in ALL_WAIT] if own else []
    if own is None or None in others:
        return empty_reading("not all schedules were timed on the link of this run", found)
    if different := [name for name, value in run.times.spec.items() if run.record.spec.get(name, value) != value]:
        return empty_reading(f"the times are those of another net: {', '.join(different)}", found)
    fastest = min((one for one in others if one), key=lambda one: float(np.mean(one.seconds_per_batch)))
    seconds, goal = seconds_to(GOAL, run, own), seconds_to(GOAL, reference, fastest)
    seeds = [seed for seed in seconds.index if seed in goal.index and np.isfinite(goal[seed])]
    if not seeds:
        return empty_reading(f"no replica of the reference reached {GOAL:g}% in {iteration} iterations", found)
    return Reading(seconds[seeds] / goal[seeds], run.record.iteration_reached, found)


def _is_of(run: Run, times: ScheduleTimes) -> bool:
    return times.schedule == "unlocked" and (times.method, times.link_delay) == (
        run.cell["method"],
        run.cell["link_delay"],
    )
