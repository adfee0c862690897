"""Measures how long a batch takes in each schedule, with real workers in PyTorch on this machine."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from impls.engine.machine import cpu_name, package_versions, usable_cpus
from impls.engine.options import flags
from impls.engine.progress import say
from impls.engine.record import as_name, code_record
from impls.workers.job import Case, Job
from impls.workers.options import NET, WARM_UP, WorkersOptions
from impls.workers.schedules import LINKED, method_of, ticks
from impls.workers.sources import workers_sources
from impls.workers.times import ScheduleTimes, WorkerTimes, write_times

SEED = 0


def cases_of(options: WorkersOptions) -> Iterator[Case]:
    """Every schedule with every delay. One process has no link, so it is timed once."""
    net = {name: getattr(options, name) for name in NET}
    for schedule in options.schedules:
        method = method_of(schedule, options.method)
        for delay in options.link_delays if schedule in LINKED else (0.0,):
            late = {} if method == "bprop" else {"link_delay": ticks(delay)}
            yield Case(net | {"method": method} | late, schedule, delay)


def seconds_per_batch(ends: list[np.ndarray]) -> float:
    """The time of a batch after the warm-up, in the worker that took longest.

    Args:
        ends: when each worker had finished each batch, in seconds.
    """
    spans = [(own[-1] - own[WARM_UP - 1]) / (len(own) - WARM_UP) for own in ends if len(own)]
    return float(max(spans))


def measure(options: WorkersOptions) -> WorkerTimes:
    """Measure, and write the file of times.

    Raises:
        UserError: a worker failed, or the fields of the net do not fit together.
    """
    from impls.workers import torch_run  # imports no framework, but starts processes that do

    cases, started_at = list(cases_of(options)), _now()
    code = code_record(workers_sources())  # read now: files may be edited later
    found: list[list[float]] = [[] for _ in cases]
    threads = max(1, usable_cpus() // options.workers)
    for start in range(1, options.starts + 1):
        say(f"workers, start {start} of {options.starts}: {len(cases)} trainings of {options.batches} batches")
        results = torch_run.run(Job(cases, options.batches, [SEED], threads=threads), options.workers)
        for own, case, (ends, _) in zip(found, cases, results, strict=True):
            own.append(seconds_per_batch(ends))
            say(f"  {case.schedule}, link {case.link_delay_ms:g} ms: {1000 * own[-1]:.2f} ms per batch")
    times = WorkerTimes(
        spec={name: getattr(options, name) for name in NET},
        batches=options.batches,
        times=[
            ScheduleTimes(
                schedule=case.schedule,
                method=case.spec.method,
                link_delay_ms=case.link_delay_ms,
                link_delay=case.spec.link_delay,
                seconds_per_batch=own,
            )
            for case, own in zip(cases, found, strict=True)
        ],
        code=code,
        versions=package_versions("numpy", "torch"),
        device={"kind": "cpu", "name": as_name(cpu_name()), "cores": usable_cpus(), "threads": threads},
        command=shlex.join(["python", "-m", "impls", "workers", *flags(options.model_dump(exclude_unset=True))]),
        started_at=started_at,
        finished_at=_now(),
    )
    write_times(options.output, times)
    return times


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
