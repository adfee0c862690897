"""Times one case in one process and writes a *record* of the machine, the times and the result, for `compare`.

Run as `python -P -m benchmarks.measure NAME --framework torch --output FILE`. PYTHONPATH must name the folder of this
harness, followed by the tree whose `impls` are timed. The two may be of different revisions.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.cases import CASES, Case
from impls.engine.environment import prepare_environment
from impls.engine.machine import cpu_name, package_versions, process_peak_memory_bytes, usable_cpus
from impls.engine.state import Leaves, stack_replicas
from impls.registry import implementation

SCHEMA = 1
LAUNCHES = 7  # timed launches of a process; their median is the process's time
BUCKETS = 64
SLOWDOWN = "DNI_BENCHMARK_SLOWDOWN"  # share of its time by which a launch is prolonged; set only by `calibrate`


class Training:
    """One case, ready for repeated launches on the same block of inputs. Pass `case` if `name` is not in CASES."""

    def __init__(
        self, name: str, framework: str, precision: str = "fp32", device: str = "auto", case: Case | None = None
    ) -> None:
        self.name, self.framework, self.precision, self.case = name, framework, precision, case or CASES[name]
        engine = importlib.import_module(f"impls.engine.{framework}_engine")
        self.device = engine.default_device() if device == "auto" else device
        spec, splits, seeds = self.case.spec(), self.case.splits(), list(range(self.case.replicas))
        self.before = stack_replicas([spec.initial_parameters(seed) for seed in seeds])
        self.runner = engine.Runner(
            implementation(self.case.experiment, framework),
            spec,
            self.before,
            splits,
            precision=precision,
            device=self.device,
            steps_per_launch=self.case.steps,
        )
        examples = len(splits["train"][1]) if splits else 0
        self.block = spec.step_inputs(seeds, examples, 0, self.case.steps)

    def launch(self) -> float:
        """Run one launch; returns its duration in seconds."""
        started = time.perf_counter()
        self.runner.advance(self.block)
        if hasattr(self.runner, "wait"):  # in earlier revisions `advance` itself waits
            self.runner.wait()
        if slowdown := float(os.environ.get(SLOWDOWN, 0)):
            machine.wait_longer(started, slowdown)
        return time.perf_counter() - started

    def record(self, seconds: list[float]) -> dict[str, Any]:
        """The record after one launch to warm up and compile, and the timed launches, which took `seconds`."""
        per_step = statistics.median(seconds) / self.case.steps
        return {
            "schema": SCHEMA,
            "benchmark": self.name,
            "framework": self.framework,
            "case": dataclasses.asdict(self.case),
            **made_by(self.framework, self.precision, self.device),
            "seconds": list(seconds),
            "seconds_per_step": per_step,
            "model_steps_per_second": self.case.replicas / per_step,
            "compile_seconds": self.runner.compile_seconds,
            "peak_memory_bytes": self.runner.peak_memory_bytes() or process_peak_memory_bytes(),
            "conditions": machine.conditions(),
            "result": sketch(self.before, self.runner.leaves()),
        }


def made_by(framework: str, precision: str, device: str) -> dict[str, Any]:
    """The code, machine and versions of this process: what must be equal in measurements that are combined."""
    engine = importlib.import_module(f"impls.engine.{framework}_engine")
    return {
        "precision": precision,
        "threads": usable_cpus(),
        "machine": {"device": device, "cpu": cpu_name(), "cores": os.cpu_count()}
        | machine.governor()
        | engine.device_description(device),
        "versions": package_versions("numpy", *{"torch": ["torch"], "jax": ["jax", "jaxlib"]}[framework]),
        "sources_sha256": _sources_sha256(),
    }


def sketch(before: Leaves, after: Leaves) -> list[float]:
    """`BUCKETS` numbers that represent what training changed: two sketches are as far apart as the two changes.

    Each parameter array has the same weight, because its change is divided by the square root of its size. All changes
    are summed with random signs into buckets. This preserves squared distances on average, and to about a fifth in a
    single case (a count sketch).

    Args:
        before: parameters by name. after: the state's leaves, in which they are "parameters.<name>".
    """
    parts = [(after[f"parameters.{name}"] - before[name]).ravel() / before[name].size ** 0.5 for name in sorted(before)]
    change = np.concatenate(parts)
    signed = np.zeros(-(-change.size // BUCKETS) * BUCKETS)
    signed[: change.size] = change * np.random.default_rng(0).choice(np.array([-1.0, 1.0]), change.size)
    return [float(f"{value:.7g}") for value in signed.reshape(-1, BUCKETS).sum(0)]


def _sources_sha256() -> str:
    """SHA-256 of all Python files under impls/, after a check that no module comes from another tree.

    Without this check an installed `impls` would silently supply a package that the measured tree lacks.
    """
    root = Path(str(sys.modules["impls"].__file__)).parent
    for name, module in list(sys.modules.items()):
        if name.startswith("impls.") and not Path(str(module.__file__)).is_relative_to(root):
            raise ImportError(f"{name} is not in the measured tree: it was found in {module.__file__}")
    digest = hashlib.sha256()
    for path in sorted(root.rglob("[!.]*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def main() -> None:
    """Measure one case and write its record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.measure", description=__doc__)
    parser.add_argument("benchmark", choices=CASES)
    parser.add_argument("--framework", choices=("torch", "jax"), required=True)
    parser.add_argument("--precision", choices=("fp32", "tf32", "bf16", "fp64"), default="fp32")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    prepare_environment(usable_cpus())
    training = Training(options.benchmark, options.framework, options.precision, options.device)
    warm_up_seconds = training.launch()
    record = training.record([training.launch() for _ in range(LAUNCHES)])
    options.output.write_text(json.dumps(record | {"warm_up_seconds": warm_up_seconds}))


if __name__ == "__main__":
    main()
