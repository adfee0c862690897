"""What a training requests from a cluster."""

from __future__ import annotations

import re

import pytest

from impls import makespan
from impls.job_requests import (
    SAVING_MINUTES,
    START_MINUTES,
    estimated_minutes,
    job_of,
    memory_mb,
    minutes,
    published_rates,
)
from impls.presets import cells, limits, load_preset


@pytest.fixture(params=["cpu", "cuda"])
def preset(request):
    return load_preset("config/paper.yaml").model_copy(update={"device": request.param})


def test_a_job_requests_twice_its_estimate_and_more_at_each_attempt(preset):
    job = job_of(preset, "feedforward", cells(preset, "feedforward")[0], "jax")
    once = estimated_minutes(job)
    assert once > {"cpu": 10, "cuda": 1}[preset.device], "half a million iterations"
    for attempt in (1, 2, 3):
        assert minutes(job, attempt) == pytest.approx(START_MINUTES + 2 * attempt * once, abs=1)
    assert memory_mb(job, 2) == pytest.approx(2 * memory_mb(job), abs=1)


def test_more_work_requests_more(preset):
    small, large = (
        load_preset(
            {
                **dict(preset=name, data="embedded", device=preset.device, frameworks=["jax"], replicas=replicas),
                "feedforward": [
                    {
                        "cells": {"dataset": ["mnist"], "model": ["fcn"], "depth": [depth], "method": ["cdni"]},
                        "settings": {"iterations": 500_000},
                    }
                ],
            }
        )
        for name, replicas, depth in (("small", 1, 3), ("large", 10, 6))
    )
    less, more = (job_of(p, "feedforward", cells(p, "feedforward")[0], "jax") for p in (small, large))
    assert minutes(less) < minutes(more) and memory_mb(less) < memory_mb(more)


def test_a_time_limit_of_the_preset_bounds_the_job(preset):
    limited = preset.model_copy(update={"max_minutes": 60.0})
    job = job_of(limited, "recurrent", cells(limited, "recurrent")[0], "torch")
    assert minutes(job, 3) == START_MINUTES + 60 + SAVING_MINUTES
    assert limits(limited) == "--checkpoint-minutes 5.0 --max-minutes 60.0"
    assert limits(preset) == "--checkpoint-minutes 5.0"


def test_the_time_that_is_left_is_shown_by_experiment_the_longest_first(preset):
    [line] = makespan.left_to_train(preset, {"unlock": 1, "feedforward": 64})
    device = "GPU" if preset.device == "cuda" else "core"
    assert re.match(rf"Estimated for one {device}: \d+ \w+ \(feedforward \d+ \w+, unlock ", line)
    [half] = makespan.left_to_train(preset, {"feedforward": 32})
    assert half.split("(")[1] != line.split("(")[1], "fewer trainings take less time"
    assert list(makespan.left_to_train(preset, {})) == []


def test_more_devices_take_less_time_until_the_longest_training_bounds_it(preset):
    lines = list(makespan.describe(preset, [1, 8, 10_000]))
    assert lines[0].startswith("478 trainings, together ")
    nothing_like_it = not published_rates(preset.device, preset.precision).measured_elsewhere
    assert ("guess" in lines[1]) == nothing_like_it
    longest = lines[-5].split(": ")[1].split(",")[0]
    assert lines[-1].split()[0] == "10000" and longest in lines[-1]
    assert [makespan.makespan([3, 1, 2, 2], devices) for devices in (1, 2, 3, 9)] == [8, 5, 3, 3]
