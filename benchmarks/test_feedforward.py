"""Speed of the feed-forward experiment at the paper's sizes. Run by `make benchmark`, on an idle machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.training import time_training
from impls.feedforward.spec import Spec

EXAMPLES = 60_000


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("method", ["no_bprop", "bprop", "dni", "cdni"])
def test_training(benchmark, framework, method, replicas):
    """Depth 4, batch 256."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (EXAMPLES, 784), np.uint8), rng.integers(0, 10, EXAMPLES, np.uint8)
    steps = 20 if method == "dni" else 50
    spec = Spec(method=method, depth=4)
    time_training(benchmark, framework, "feedforward", spec, replicas, {"train": (images, labels)}, steps)


def test_start_up(benchmark, framework, tmp_path):
    """From the start of the process to the end of the first iteration, nothing compiled before; one round."""
    output = tmp_path / "run"
    command = [sys.executable, "-m", "impls", "train", "feedforward", "--framework", framework, "--method", "dni"]
    sizes = ["--iterations", "1", "--train-error-examples", "1", "--output", str(output)]
    benchmark.pedantic(
        subprocess.run,
        args=([*command, *sizes],),
        kwargs={
            "check": True,
            "capture_output": True,
            "cwd": Path(__file__).parents[1],
            "env": os.environ | {"DNI_CACHE_DIR": str(tmp_path / "cache")},
        },
        rounds=1,
    )
    record = json.loads((output / "run.json").read_text())
    benchmark.extra_info |= {"framework": framework, "peak_memory_bytes": record["peak_memory_bytes"]}
