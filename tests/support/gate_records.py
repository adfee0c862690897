"""Records of measurements and comparisons, for tests of the speed gate."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import numpy as np

NAME = "feedforward/dni/x1"
RESULT = list(np.random.default_rng(0).normal(size=64))
RECORD = {
    "schema": 1,
    "benchmark": NAME,
    "framework": "torch",
    "case": {"experiment": "feedforward", "fields": {"method": "dni"}, "steps": 20, "replicas": 1},
    "precision": "fp32",
    "threads": 2,
    "machine": {"device": "cuda", "cpu": "a cpu", "cores": 2, "name": "a gpu", "driver": "580.1"},
    "versions": {"python": "3.12.1", "torch": "2.13.0"},
    "sources_sha256": "0",
    "seconds_per_step": 0.01,
    "model_steps_per_second": 100.0,
    "result": RESULT,
}
# Ten pairs that scatter by 1%.
CALM = [0.01 * x for x in (0.3, -1.2, 0.8, -0.1, 1.1, -0.7, 0.2, -0.4, 0.9, -0.9)]


def record(log_time: float = 0.0, **changes) -> dict:
    """A record of a process that took exp(log_time) times as long as `RECORD`; `machine__driver` is an inner entry."""
    found = copy.deepcopy(RECORD) | {"seconds_per_step": 0.01 * math.exp(log_time)}
    for name, value in changes.items():
        *outer, last = name.split("__")
        (found[outer[0]] if outer else found)[last] = value
    return found


def saved(*benchmarks: dict, looks: int = 1) -> dict:
    """The content of a file of `--save`."""
    return {"looks": looks, "benchmarks": list(benchmarks)}


def benchmark(slowdown: float, name: str = NAME, scatter: float = 1.0, reason: str | None = None, **of_head) -> dict:
    """A benchmark of ten pairs, whose HEAD is slower by `slowdown`, in logs, and has other entries in its records."""
    pairs = [{"base": record(benchmark=name), "head": record(9.9, benchmark=name), "counts": False, "busy": False}]
    for x in CALM:
        head = record(slowdown + scatter * x, benchmark=name, **of_head)
        pairs.append({"base": record(benchmark=name), "head": head, "counts": True, "busy": False})
    return {"benchmark": name, "framework": "torch", "pairs": pairs, "reason": reason}


def by_pytest(path: Path, *records: dict) -> Path:
    """A file of pytest-benchmark with one benchmark more, which has nothing that `compare` can use."""
    entries = [{"name": "test_training", "extra_info": {"record": found}} for found in records]
    content = {"machine_info": {}, "benchmarks": [*entries, {"name": "test_start_up", "extra_info": {}}]}
    path.write_text(json.dumps(content))
    return path
