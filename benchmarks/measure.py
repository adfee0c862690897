"""Times one case in one process, and says on what, and what came out: a *record*, which `compare` reads.

Run as `python -P -m benchmarks.measure NAME --framework torch --output FILE`, with PYTHONPATH naming the folder of this
harness and then the tree whose `impls` are timed. The two need not be of the same revision.
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
LAUNCHES = 7  # timed ones of a process; their median is the process's time
BUCKETS = 64
SLOWDOWN = "DNI_BENCHMARK_SLOWDOWN"  # share of its time by which a launch is made longer; set by `calibrate` alone


class Training:
    """One case ready to be launched, again and again on the same block of inputs; `case` if it is none of CASES."""

    def __init__(
        self, name: str, framework: str, precision: str = "fp32", device: str = "auto", case: Case | None = None
    ) -> None:
        self.name, self.framework, self.precision, self.case = name, framework, precision, case or CASES[name]
        engine = importlib.import_module(f"impls.engine.{framework}_engine")
        self.device = engine.default_device() if device == "auto" else device
        self.description = engine.device_description(self.device)
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
        """Run one launch; returns its seconds."""
        started = time.perf_counter()
        self.runner.advance(self.block)
        if slowdown := float(os.environ.get(SLOWDOWN, 0)):
            machine.wait_longer(started, slowdown)
        return time.perf_counter() - started

    def record(self, seconds: list[float]) -> dict[str, Any]:
        """What is known after one launch to warm up and compile and then those that took `seconds`."""
        per_step = statistics.median(seconds) / self.case.steps
        return {
            "schema": SCHEMA,
            "benchmark": self.name,
            "framework": self.framework,
            "case": dataclasses.asdict(self.case),
            "precision": self.precision,
            "threads": usable_cpus(),
            "machine": {"device": self.device, "cpu": cpu_name(), "cores": os.cpu_count()}
            | machine.governor()
            | self.description,
            "versions": package_versions("numpy", *{"torch": ["torch"], "jax": ["jax", "jaxlib"]}[self.framework]),
            "sources_sha256": _sources_sha256(),
            "seconds": list(seconds),
            "seconds_per_step": per_step,
            "model_steps_per_second": self.case.replicas / per_step,
            "compile_seconds": self.runner.compile_seconds,
            "peak_memory_bytes": self.runner.peak_memory_bytes() or process_peak_memory_bytes(),
            "conditions": machine.conditions(),
            "result": sketch(self.before, self.runner.leaves()),
        }


def sketch(before: Leaves, after: Leaves) -> list[float]:
    """`BUCKETS` numbers for what training changed, so that the distance of two sketches is that of the two changes.

    Each parameter array's change counts the same, whatever its size: it is divided by the root of that. All are thrown
    with random signs into buckets, which keeps squared distances on average, and to about a fifth (a count sketch).

    Args:
        before: parameters by name. after: the state's leaves, in which they are "parameters.<name>".
    """
    parts = [(after[f"parameters.{name}"] - before[name]).ravel() / before[name].size ** 0.5 for name in sorted(before)]
    change = np.concatenate(parts)
    signed = np.zeros(-(-change.size // BUCKETS) * BUCKETS)
    signed[: change.size] = change * np.random.default_rng(0).choice(np.array([-1.0, 1.0]), change.size)
    return [float(f"{value:.7g}") for value in signed.reshape(-1, BUCKETS).sum(0)]


def _sources_sha256() -> str:
    """Of every Python file under impls/, and a check that no other tree's is running.

    An installed `impls` stands in, silently, for a package that the measured tree does not have.
    """
    root = Path(sys.modules["impls"].__file__).parent
    for name, module in list(sys.modules.items()):
        if name.startswith("impls.") and not Path(module.__file__).is_relative_to(root):
            raise ImportError(f"{name} is not in the measured tree: it was found in {module.__file__}")
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
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
