"""One measurement of `python -m benchmarks limits` or `scale` in one process: the limits of the machine, a case's step,
or a plain loop.

Every measurement has its own process, because a training run has its own process, too.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import CASES, Case
from benchmarks.measure import LAUNCHES, Training, made_by
from benchmarks.roofline import machine_limits
from impls.engine.environment import prepare_environment
from impls.engine.machine import usable_cpus
from impls.engine.state import Leaves

SECONDS = 1.0  # total time after which no more launches of a case are timed, even if fewer than LAUNCHES


def measure_case(case: Case, framework: str, precision: str, device: str) -> dict[str, Any]:
    """Time, operations and bytes of one step of all the replicas of a case."""
    training = Training("a case", framework, precision, device, case)
    before = training.runner.leaves()
    training.launch()
    seconds: list[float] = []
    while not seconds or (len(seconds) < LAUNCHES and sum(seconds) < SECONDS):
        seconds.append(training.launch())
    return {
        "seconds_per_step": statistics.median(seconds) / case.steps,
        "operations_per_step": case.replicas * training.case.spec().operations_per_step(),
        "bytes_per_step": bytes_per_step(before, training.runner.leaves(), training.block, training.runner.train_data),
    }


def bytes_per_step(before: Leaves, after: Leaves, block: Leaves, train_data: dict[str, Any]) -> float:
    """The minimum memory traffic of a step in bytes: a lower bound without activations and gradients.

    Every array of the state that training changes (parameters, Adam's moments, running statistics) is read once and
    written once. Parameters that it does not change, the step's inputs and the selected images are read once.
    """
    size = 0.0
    for name, value in after.items():
        if not np.array_equal(before[name], value):
            size += 2 * value.nbytes
        elif name.startswith("parameters."):
            size += value.nbytes
    steps = len(next(iter(block.values())))
    size += sum(value.nbytes for value in block.values()) / steps
    images = sum(block[name][0].size for name in ("indices", "digits") if name in block)
    return size + (images * train_data["inputs"][0].nbytes if images else 0)


def plain_loop_rate(name: str, device: str) -> float:
    """Model-steps per second of the plain eager loop of a case."""
    import torch

    from benchmarks.roofline import plain_loop

    training = Training(name, "torch", device=device)
    splits, spec = training.case.splits(), training.case.spec()
    _, calls = plain_loop.prepared(spec, splits, training.block, torch.float32, training.device)
    seconds: list[float] = []
    while len(seconds) < 2 or (len(seconds) < 1 + LAUNCHES and sum(seconds) < SECONDS):
        started = time.perf_counter()
        for call in calls:
            loss = call()
        loss.item()  # waits for the device
        seconds.append(time.perf_counter() - started)
    return len(calls) / statistics.median(seconds[1:])


def in_own_process(what: str | Case, framework: str, precision: str, device: str) -> dict[str, Any]:
    """What `main` writes in a separate process; if it fails, the error contains its last line.

    Args:
        what: a case to time, or the name of a case with a plain loop, or "ceilings".
    """
    with tempfile.TemporaryDirectory(prefix="dni-limits-") as folder:
        file = Path(folder, "found.json")
        text = json.dumps(dataclasses.asdict(what)) if isinstance(what, Case) else what
        flags = ["--framework", framework, "--precision", precision, "--device", device, "--output", str(file)]
        command = [sys.executable, "-m", "benchmarks.roofline.measurements", text, *flags]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            words = result.stderr.strip().splitlines() or ["no error message"]
            raise RuntimeError(f"exit code {result.returncode}, {words[-1]}")
        return json.loads(file.read_text())


def measure(what: str | Case, framework: str, precision: str, device: str) -> dict[str, Any]:
    """One measurement, with `made_by`; the arguments are those of `in_own_process`."""
    found: dict[str, Any] = {"made_by": made_by(framework, precision, device)}
    if isinstance(what, Case):
        return found | measure_case(what, framework, precision, device)
    if what == "ceilings":
        return found | {"ceilings": machine_limits.ceilings(framework, device, precision)}
    return found | {"rate": plain_loop_rate(what, device)}


def main() -> None:
    """Measure one thing in one framework."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.roofline.measurements", description=__doc__)
    parser.add_argument("what", help="a case in JSON, or the name of a case with a plain loop, or ceilings")
    parser.add_argument("--framework", choices=("torch", "jax"), required=True)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--precision", choices=("fp32", "tf32", "bf16", "fp64"), default="fp32")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    prepare_environment(usable_cpus())
    device = options.device
    if device == "auto":
        device = importlib.import_module(f"impls.engine.{options.framework}_engine").default_device()
    known = options.what == "ceilings" or options.what in CASES
    what = options.what if known else Case(**json.loads(options.what))
    options.output.write_text(json.dumps(measure(what, options.framework, options.precision, device)))


if __name__ == "__main__":
    main()
