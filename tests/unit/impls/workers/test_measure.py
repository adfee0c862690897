"""What `python -m impls workers` times, and how its options are checked."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from impls.workers import measure, torch_run
from impls.workers.job import Job
from impls.workers.options import WARM_UP, WorkersOptions
from impls.workers.times import parse_times


def test_every_schedule_on_every_link_and_one_process_once():
    options = WorkersOptions(link_delays=(0, 5))
    cases = [
        (case.schedule, case.link_delay_ms, case.spec.method, case.spec.link_delay)
        for case in measure.cases_of(options)
    ]
    assert cases == [
        ("one_process", 0, "bprop", 0),
        *((schedule, link, "bprop", 0) for schedule in ("locked", "gpipe", "1f1b", "data_parallel") for link in (0, 5)),
        ("delayed", 0, "delayed", 0),
        ("delayed", 5, "delayed", 4),
        ("unlocked", 0, "cdni", 0),
        ("unlocked", 5, "cdni", 4),
    ]


def test_the_time_of_a_batch_is_that_of_the_slowest_worker_after_the_warm_up():
    steady = np.arange(WARM_UP + 10) * 0.010
    slow_start = np.concatenate([np.arange(WARM_UP) * 0.5, 0.5 * (WARM_UP - 1) + 0.012 * np.arange(1, 11)])
    assert measure.seconds_per_batch([steady, slow_start]) == pytest.approx(0.012)
    assert measure.seconds_per_batch([steady, np.array([])]) == pytest.approx(0.010)


def test_the_file_of_times_has_one_time_for_each_start(tmp_path, monkeypatch):
    """With processes that take 1 ms longer at each start, whatever they train."""
    started = []

    def run(job: Job, workers: int):
        started.append(job)
        batch = 0.004 + 0.001 * len(started)
        return [([np.arange(job.batches) * batch] * workers, {}) for _ in job.cases]

    monkeypatch.setattr(torch_run, "run", run)
    path = tmp_path / "new" / "times.json"
    options = WorkersOptions(output=path, schedules=("one_process", "unlocked"), link_delays=(0, 5), starts=2)
    times = measure.measure(options)
    assert parse_times(path.read_bytes(), path) == times
    assert [one.seconds_per_batch for one in times.times] == [pytest.approx([0.005, 0.006])] * 3
    assert times.of("unlocked", 5).link_delay == 4
    assert times.of("one_process", 5) is times.times[0], "one process has no link"
    assert times.of("locked", 0) is None
    assert "impls/workers/torch_schedules.py" in times.code.sources
    assert times.spec == {"dataset": "mnist", "depth": 6, "hidden_units": None, "batch_size": 256, "workers": 2}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"workers": 7}, "at most --depth, 6"),
        ({"batches": WARM_UP}, "greater than 20"),
        ({"schedules": ()}, "at least 1 item"),
        ({"schedules": ("pipelined",)}, "'locked'"),
        ({"link_delays": (-1,)}, "greater than or equal to 0"),
    ],
)
def test_a_wrong_option_says_what_is_allowed(wrong, words):
    with pytest.raises(ValidationError, match=words):
        WorkersOptions(**wrong)
