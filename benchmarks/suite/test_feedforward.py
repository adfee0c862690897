"""Speed of the feed-forward experiments, most at the paper's sizes. Run `make benchmark` on an idle machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.cases import names
from benchmarks.suite.training import time_training

FEEDFORWARD = (
    *("feedforward", "single_dni", "linear_dni", "stale_gradients", "bp_lambda", "target_scale", "initial_weights"),
    *("unlock", "unlocked", "missed_visits"),
)


@pytest.mark.parametrize("name", names(*FEEDFORWARD))
def test_training(benchmark: BenchmarkFixture, framework: str, name: str) -> None:
    time_training(benchmark, framework, name)


def test_start_up(benchmark: BenchmarkFixture, framework: str, tmp_path: Path) -> None:
    """From the start of the process to the end of the first iteration, with nothing compiled before; one round."""
    output = tmp_path / "run"
    command = [sys.executable, "-m", "impls", "train", "feedforward", "--framework", framework, "--method", "dni"]
    sizes = ["--iterations", "1", "--train-error-examples", "1", "--output", str(output)]
    benchmark.pedantic(
        subprocess.run,
        args=([*command, *sizes],),
        kwargs={
            "check": True,
            "capture_output": True,
            "cwd": Path(__file__).parents[2],
            "env": os.environ | {"DNI_CACHE_DIR": str(tmp_path / "cache")},
        },
        rounds=1,
    )
    record = json.loads((output / "run.json").read_text())
    benchmark.extra_info |= {"framework": framework, "peak_memory_bytes": record["peak_memory_bytes"]}
