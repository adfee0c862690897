"""What every benchmark of training does: run launches of steps, and compare with the machine's limit."""

from __future__ import annotations

import importlib

import numpy as np

from benchmarks.limits import matmul_operations_per_second
from impls.engine.record import cpu_name, package_versions, process_peak_memory_bytes, usable_cpus
from impls.engine.spec import CellSpec
from impls.engine.state import stack_replicas
from impls.registry import implementation

ROUNDS = 7


def time_training(
    benchmark,
    framework: str,
    experiment: str,
    spec: CellSpec,
    replicas: int,
    data: dict[str, tuple[np.ndarray, np.ndarray]],
    steps: int = 50,
) -> None:
    """Time launches of `steps` iterations in float32 on the CPU, compilation and evaluation apart."""
    seeds = list(range(replicas))
    runner = importlib.import_module(f"impls.engine.{framework}_engine").Runner(
        implementation(experiment, framework),
        spec,
        stack_replicas([spec.initial_parameters(seed) for seed in seeds]),
        data,
        precision="fp32",
        device="cpu",
        steps_per_launch=steps,
    )
    examples = len(data["train"][1]) if data else 0
    block = spec.step_inputs(seeds, examples, 0, steps)
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
