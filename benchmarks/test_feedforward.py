"""Speed of the feed-forward experiment at the paper's sizes. Run by `make benchmark`, on an idle machine."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.limits import matmul_operations_per_second
from impls.engine.record import cpu_name, package_versions, process_peak_memory_bytes, usable_cpus
from impls.engine.state import stack_replicas
from impls.feedforward.spec import Spec
from impls.registry import implementation

ROUNDS = 7
EXAMPLES = 60_000


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("method", ["no_bprop", "bprop", "dni", "cdni"])
def test_training(benchmark, framework, method, replicas):
    """Depth 4, batch 256, float32: launches of 50 steps, compilation and evaluation apart."""
    spec = Spec(method=method, depth=4)
    seeds = list(range(replicas))
    rng = np.random.default_rng(0)
    data = (rng.integers(0, 256, (EXAMPLES, 784), np.uint8), rng.integers(0, 10, EXAMPLES, np.uint8))
    steps = 20 if method == "dni" else 50
    runner = importlib.import_module(f"impls.engine.{framework}_engine").Runner(
        implementation("feedforward", framework),
        spec,
        stack_replicas([spec.initial_parameters(seed) for seed in seeds]),
        {"train": data},
        precision="fp32",
        device="cpu",
        steps_per_launch=steps,
    )
    block = spec.step_inputs(seeds, EXAMPLES, 0, steps)
    limits = [matmul_operations_per_second(framework)]
    benchmark.pedantic(runner.advance, args=(block,), rounds=ROUNDS, warmup_rounds=1)
    limits.append(matmul_operations_per_second(framework))

    seconds = benchmark.stats.stats.median / steps
    benchmark.extra_info |= {
        "framework": framework,
        "cell": spec.cell(),
        "replicas": replicas,
        "milliseconds_per_step": 1e3 * seconds,
        "model_steps_per_second": replicas / seconds,
        "operations_per_step": replicas * spec.operations_per_step(),
        "limit_gflops": max(limits) / 1e9,
        "fraction_of_limit": replicas * spec.operations_per_step() / seconds / max(limits),
        "peak_memory_bytes": process_peak_memory_bytes(),
        "device": cpu_name(),
        "threads": usable_cpus(),
        "versions": package_versions("numpy", framework),
    }


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
