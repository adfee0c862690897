"""The processes of `python -m benchmarks limits`: a framework's limits, and every case's step, counted and timed.

One process measures the limits and starts another process for each case, because a training run has its own process,
too.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import CASES, PLAIN
from benchmarks.gate.trees import say
from benchmarks.measure import LAUNCHES, Training
from benchmarks.roofline import machine_limits
from impls.engine.environment import prepare_environment
from impls.engine.machine import usable_cpus
from impls.engine.state import Leaves

SECONDS = 1.0  # total time after which no more launches of a case are timed, even if fewer than LAUNCHES
PROCESSES = 5  # of each case: the median and the range of fewer say little


def chosen(pattern: str) -> list[str]:
    """Names of the cases that match a pattern, in order."""
    return [name for name in CASES if fnmatch.fnmatchcase(name, pattern)]


def measure(
    framework: str,
    device: str,
    precision: str,
    names: list[str],
    measured: Callable[..., dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Everything of one framework, measured once.

    Args:
        measured: gives the result of `measure_case` from a case's name, framework, precision and device; by default it
            runs in a separate process.
    """
    measured = measured or in_own_process
    found: dict[str, Any] = {"framework": framework, "cases": {}, "plain": {}}
    found["ceilings"] = [machine_limits.ceilings(framework, device, precision, say)]
    for number, name in enumerate(names, start=1):
        try:
            found["cases"][name] = measured(name, framework, precision, device)
            news = f"{1e3 * found['cases'][name]['record']['seconds_per_step']:.3g} ms/step"
        except Exception as error:  # one case must not stop the others
            found["cases"][name] = {
                "error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            }
            news = found["cases"][name]["error"]
        say(f"{framework}: {number} of {len(names)}, {name}: {news}")
    if framework == "torch" and precision == "fp32":
        found["plain"] = plain_loops(names, device)
    # Measured again, because the machine may have been busier before.
    found["ceilings"].append(machine_limits.ceilings(framework, device, precision, say))
    return found


def in_own_process(name: str, framework: str, precision: str, device: str) -> dict[str, Any]:
    """The result of `measure_case` in a separate process; if it fails, the error contains its last line."""
    with tempfile.TemporaryDirectory(prefix="dni-limits-") as folder:
        file = Path(folder, "case.json")
        flags = ["--framework", framework, "--precision", precision, "--device", device, "--output", str(file)]
        command = [sys.executable, "-m", "benchmarks.roofline.measurements", "--alone", name, *flags]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            words = result.stderr.strip().splitlines() or ["no error message"]
            raise RuntimeError(f"exit code {result.returncode}, {words[-1]}")
        return json.loads(file.read_text())


def measure_case(name: str, framework: str, precision: str, device: str) -> dict[str, Any]:
    """The record of a case's launches, with operations and bytes of one step of all its replicas."""
    training = Training(name, framework, precision, device)
    before = training.runner.leaves()
    training.launch()
    seconds: list[float] = []
    while not seconds or (len(seconds) < LAUNCHES and sum(seconds) < SECONDS):
        seconds.append(training.launch())
    return {
        "record": training.record(seconds),
        "operations_per_step": training.case.replicas * training.case.spec().operations_per_step(),
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


def plain_loops(names: list[str], device: str) -> dict[str, float]:
    """Model-steps per second of the plain eager loops with which the chosen cases are compared."""
    import torch

    from benchmarks.roofline import plain_loop

    found = {}
    for name, compared in PLAIN.items():
        if not set(compared) & set(names):
            continue
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
        found[name] = len(calls) / statistics.median(seconds[1:])
        say(f"torch: a plain eager loop of {name}: {found[name]:.3g} model-steps/s")
    return found


def main() -> None:
    """Measure one framework, or only one case of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.roofline.measurements", description=__doc__)
    parser.add_argument("--framework", choices=("torch", "jax"), required=True)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--precision", choices=("fp32", "tf32", "bf16", "fp64"), default="fp32")
    parser.add_argument("--cases", default="*")
    parser.add_argument("--alone", metavar="NAME", help="measure only this case")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    prepare_environment(usable_cpus())
    device = options.device
    if device == "auto":
        device = importlib.import_module(f"impls.engine.{options.framework}_engine").default_device()
    if options.alone:
        options.output.write_text(json.dumps(measure_case(options.alone, options.framework, options.precision, device)))
        return

    found = measure(options.framework, device, options.precision, chosen(options.cases))
    options.output.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
