"""Shared by all training benchmarks: runs launches of steps and compares them with the machine's limit."""

from __future__ import annotations

from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.measure import LAUNCHES, Training
from benchmarks.roofline.machine_limits import matmul_operations_per_second


def time_training(benchmark: BenchmarkFixture, framework: str, name: str) -> None:
    """Time launches of a case of `cases.py` in float32 on the CPU, without compilation and evaluation."""
    training = Training(name, framework, device="cpu")
    case, spec = training.case, training.case.spec()
    limits = [matmul_operations_per_second(framework)]
    benchmark.pedantic(training.launch, rounds=LAUNCHES, warmup_rounds=1)
    limits.append(matmul_operations_per_second(framework))

    record = training.record(benchmark.stats.stats.data)
    seconds = record["seconds_per_step"]
    benchmark.extra_info |= {
        "framework": framework,
        "cell": spec.cell(),
        "replicas": case.replicas,
        "milliseconds_per_step": 1e3 * seconds,
        "model_steps_per_second": record["model_steps_per_second"],
        "operations_per_step": case.replicas * spec.operations_per_step(),
        "limit_gflops": max(limits) / 1e9,
        "fraction_of_limit": case.replicas * spec.operations_per_step() / seconds / max(limits),
        "peak_memory_bytes": record["peak_memory_bytes"],
        "device": record["machine"]["cpu"],
        "threads": record["threads"],
        "versions": record["versions"],
        "record": record,
    }
