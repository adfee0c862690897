"""Cells of the unlocked experiment on disk, and times of workers, as training and measuring would have left them."""

import math

from impls.workers.schedules import LINKED, SCHEDULES, method_of, ticks
from impls.workers.times import TIMES, ScheduleTimes, WorkerTimes, write_times
from tests.support.runs_on_disk import write_run

DELAYS = (0, 4, 64)
ITERATIONS = 6_000
# Milliseconds per batch without a delay, and how many delays of the link each adds.
BATCH_MS = {
    "one_process": (5.0, 0),
    "locked": (8.0, 2),
    "gpipe": (9.0, 2),
    "1f1b": (9.0, 2),
    "data_parallel": (7.0, 1),
    "delayed": (6.0, 0),
    "unlocked": (5.5, 0),
}


def error(method, delay, floor=1.6):
    """Percent of error: 0.4 above the floor at iteration 2,000 of backpropagation, and later of the others."""
    slower = {"bprop": 1, "cdni": 1.25 + 0.01 * delay, "delayed": 1 + 0.05 * delay}[method]
    return lambda replica, iteration: floor + 88.4 * math.exp(-iteration / (slower * 371)) + 0.01 * replica


def write_unlocked(results, frameworks=("torch", "jax"), bprop=None, **settings):
    """All cells, without times; `bprop` replaces the test errors of backpropagation."""
    for framework in frameworks:
        for method, delays in {"bprop": (0,), "cdni": DELAYS, "delayed": DELAYS}.items():
            for delay in delays:
                write_run(
                    results,
                    framework,
                    6,
                    method,
                    iterations=ITERATIONS,
                    evaluate_every=250,
                    experiment="unlocked",
                    cell={"workers": 2, "link_delay": delay},
                    metrics={
                        ("test", "error"): bprop if bprop and method == "bprop" else error(method, delay),
                        ("train", "error"): error(method, delay, floor=0.6),
                    },
                    **settings,
                )


def write_worker_times(results, links=(0, 5), starts=3, spec=None):
    """Times of every schedule on these links; returns the file."""
    times = []
    for schedule in SCHEDULES:
        batch, messages = BATCH_MS[schedule]
        method = method_of(schedule, "cdni")
        for link in links if schedule in LINKED else (0,):
            times.append(
                ScheduleTimes(
                    schedule=schedule,
                    method=method,
                    link_delay_ms=link,
                    link_delay=0 if method == "bprop" else ticks(link),
                    seconds_per_batch=[
                        (batch * (1 + 0.01 * start) + messages * link) / 1000 for start in range(starts)
                    ],
                )
            )
    net = {"dataset": "mnist", "depth": 6, "hidden_units": None, "batch_size": 256, "workers": 2}
    path = results / "unlocked" / TIMES
    write_times(
        path,
        WorkerTimes(
            spec=net | (spec or {}),
            batches=120,
            times=times,
            code={"git_commit": None, "git_dirty": None, "source_sha256": "1" * 64, "sources": ["impls/x.py"]},
            versions={"python": "3.11.7", "torch": "2.13.0"},
            device={"kind": "cpu", "name": "AMD EPYC", "cores": 2},
            command="python -m impls workers",
            started_at="2099-01-01T00:00:00+00:00",
            finished_at="2099-01-01T00:10:00+00:00",
        ),
    )
    return path
