"""One process of `python -m benchmarks gpu-check`: the timings of one framework, in parts, the most important first.

Each part runs separately and its results are written at once, so that a failure or the end of the time does not lose
the results of other parts. On a CPU the same parts run with tiny settings, as a test of the program; parts that need a
GPU are marked as left out.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import statistics
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.cases import CASES, Case
from benchmarks.gate.trees import say
from benchmarks.measure import Training
from benchmarks.roofline import machine_limits
from impls.engine.environment import prepare_environment
from impls.engine.machine import usable_cpus

ITERATIONS = 500_000  # the paper's
DEPTHS, METHODS = (
    (3, 6, 4, 5),
    ("dni", "cdni", "bprop", "no_bprop"),
)  # outer depths first, to interpolate others
RATES = ("square", "MNIST M, second layer", "LSTM 1024, recurrent")
GAPS = ("feedforward/dni/x1", "feedforward/small_dni/x1", "recurrent/copy_dni/x1", "two_network/dni/x1")
# Ways to run a step that are not the default, for each framework: arguments of `Timings.variant`.
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "torch": {"captured": {}, "compiled, captured": {"compiles": True}},
    "jax": {
        "scan": {},
        "scan in one graph": {
            "options": {
                "xla_gpu_graph_min_graph_size": 1,
                "xla_gpu_enable_command_buffer": "FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,CUDNN,DYNAMIC_SLICE_FUSION,WHILE",
            }
        },
        "scan, 5 steps unrolled": {"unroll": 5},
    },
}
# Cells in which matrix products are most of the work: fields of the spec, and replicas as a share of the table's.
BOUND: dict[str, tuple[str, dict[str, Any], float]] = {
    "MNIST fcn, dni": ("feedforward", {"method": "dni"}, 1.0),
    "CIFAR-10 fcn, dni, depth 3": ("feedforward", {"method": "dni", "dataset": "cifar10", "depth": 3}, 0.5),
    "text, LSTM 1024, bptt": ("recurrent", {"dataset": "ptb", "method": "bptt", "truncation_length": 5}, 0.5),
}


class Sizes(NamedTuple):
    """Size of the run: replicas of the table's cells, steps of a launch, timed launches of a cell."""

    replicas: int
    steps: int
    launches: int


SIZES = {"cuda": Sizes(20, 100, 5), "cpu": Sizes(2, 1, 1)}


class GpuOnly(Exception):
    """A part that a CPU cannot run."""


class OutOfTime(Exception):
    """The time ran out."""


class Timings:
    """The parts of one framework on one device. Each is a method that returns its results as JSON-able values."""

    def __init__(self, framework: str, device: str, deadline: float) -> None:
        self.framework, self.device, self.deadline = framework, device, deadline
        self.sizes = SIZES[device]
        self.cut_short = False  # whether the current part left something out for lack of time
        self.timed: dict[str, dict[str, Any]] = {}

    def rates(self) -> dict[str, dict[str, float]]:
        """Operations per second of matrix products in each precision mode."""
        found: dict[str, dict[str, float]] = {}
        for precision in ("fp32", "tf32", "bf16"):
            at = machine_limits.Bench(self.framework, self.device, precision)
            shapes = dict(machine_limits.PRODUCTS)
            if self.device == "cuda":
                shapes["square"] = machine_limits.SQUARE_ON_A_GPU
            measured = {
                name: at.product(*shapes[name], replicas=1 if name == "square" else self.sizes.replicas)
                for name in RATES
            }
            found[precision] = {name: entry["operations_per_second"] for name, entry in measured.items()}
        return found

    def replicas(self) -> dict[str, dict[str, float]]:
        """Time of many replicas over the time of one, for cells of the MNIST table."""
        found = {}
        for method in ("dni", "cdni"):
            one, many = (self.table_cell(4, method, replicas) for replicas in (1, self.sizes.replicas))
            ratio = many["seconds_per_step"] / one["seconds_per_step"]
            found[method] = {"one": one["seconds_per_step"], "many": many["seconds_per_step"], "ratio": ratio}
        return found

    def gaps(self) -> dict[str, dict[str, float]]:
        """Share of a launch in which the device runs no kernel; for PyTorch also the time of the uncaptured step."""
        if self.device == "cpu":
            raise GpuOnly("gaps between kernels")
        found: dict[str, dict[str, float]] = {}
        for name in GAPS:
            if self.stops_after(found):
                break
            training = self.training(name, CASES[name])
            training.launch()
            seconds = statistics.median(training.launch() for _ in range(self.sizes.launches))
            with self.kernels() as busy:
                training.launch()
            found[name] = {
                "seconds_per_step": seconds / training.case.steps,
                "kernel_seconds_per_step": (kernels := busy[0]) / training.case.steps,
                "gap_share": 1 - kernels / seconds,
            }
            if self.framework == "torch":
                training.runner.captures, training.runner.replay = False, None
                training.launch()
                eager = statistics.median(training.launch() for _ in range(3))
                found[name]["uncaptured_seconds_per_step"] = eager / training.case.steps
        return found

    def variants(self) -> dict[str, dict[str, dict[str, float]]]:
        """Seconds per step and to compile of the ways to run a step, by case and way."""
        if self.device == "cpu":
            raise GpuOnly("ways to run a step")
        found: dict[str, dict[str, dict[str, float]]] = {}
        for name, (way, settings) in itertools.product(GAPS, VARIANTS[self.framework].items()):
            if self.stops_after(found):
                break
            training = self.variant(name, **settings)
            training.launch()
            seconds = statistics.median(training.launch() for _ in range(self.sizes.launches))
            found.setdefault(name, {})[way] = {
                "seconds_per_step": seconds / training.case.steps,
                "compile_seconds": training.runner.compile_seconds,
            }
        return found

    def variant(
        self, name: str, compiles: bool = False, options: dict[str, Any] | None = None, unroll: int = 1
    ) -> Training:
        """A case, run in another way: compiled by PyTorch, or with other options and another loop in JAX."""
        training = self.training(name, CASES[name])
        if self.framework == "torch":
            training.runner.compiles = compiles
        else:
            from impls.engine.jax_engine import programs

            twin, spec = training.runner.implementation, training.runner.spec
            training.runner.programs = programs(twin, spec, options or {}, unroll)
        return training

    def bound(self) -> dict[str, dict[str, float]]:
        """Operations per second of cells dominated by matrix products, in the modes that use tensor cores."""
        found: dict[str, dict[str, float]] = {}
        for (name, (experiment, fields, share)), precision in itertools.product(BOUND.items(), ("tf32", "bf16")):
            if self.stops_after(found):
                break
            case = Case(experiment, fields, self.sizes.steps, max(1, round(share * self.sizes.replicas)))
            measured = self.time_case(f"{name}, x{case.replicas}", case, precision)
            operations = case.replicas * case.spec().operations_per_step()
            found[f"{name}, x{case.replicas}, {precision}"] = {
                "precision": precision,
                "seconds_per_step": measured["seconds_per_step"],
                "operations_per_second": operations / measured["seconds_per_step"],
            }
        return found

    def table(self) -> dict[str, dict[str, Any]]:
        """Seconds per step of the 16 cells of the MNIST fcn table; cells that were left out are interpolated."""
        measured: dict[tuple[int, str], float] = {}
        try:
            for depth, method in itertools.product(DEPTHS, METHODS):
                cell = self.table_cell(depth, method, self.sizes.replicas)
                measured[depth, method] = cell["seconds_per_step"]
        except OutOfTime:
            if len(measured) < 2 * len(METHODS):
                raise
        return whole_table(measured)

    def table_cell(self, depth: int, method: str, replicas: int) -> dict[str, Any]:
        """One cell of the table, timed once."""
        case = Case("feedforward", {"depth": depth, "method": method}, self.sizes.steps, replicas)
        return self.time_case(f"depth {depth}, {method}, x{replicas}", case)

    def time_case(self, name: str, case: Case, precision: str = "fp32") -> dict[str, Any]:
        """Median seconds per step over launches, and seconds to compile or capture."""
        key = f"{name}, {precision}"
        if key not in self.timed:
            self.check_time()
            training = self.training(name, case, precision)
            training.launch()
            seconds = statistics.median(training.launch() for _ in range(self.sizes.launches))
            compiling = training.runner.compile_seconds
            self.timed[key] = {"seconds_per_step": seconds / case.steps, "compile_seconds": compiling}
            say(f"{self.framework}: {key}: {1e3 * seconds / case.steps:.3g} ms/step, {compiling:.0f} s to compile")
        return self.timed[key]

    def training(self, name: str, case: Case, precision: str = "fp32") -> Training:
        training = Training(name, self.framework, precision, self.device, case)
        if self.framework == "torch" and self.device == "cuda":
            training.runner.compiles = False  # it takes a minute, and `variants` measures what it brings
        return training

    def stops_after(self, found: dict) -> bool:
        """Whether the time ran out, with something found; raises OutOfTime if nothing was found."""
        try:
            self.check_time()
        except OutOfTime:
            if not found:
                raise
            self.cut_short = True
        return self.cut_short

    def check_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise OutOfTime("the time ran out before this part was finished")

    def kernels(self) -> Any:
        """A context that yields a list, which contains at the end the seconds in which the device was busy."""
        from benchmarks.gpu import busy_time

        return getattr(busy_time, f"under_{self.framework}")()


# The parts in order, and their shares of the time. Time that a part does not use is left to the following parts.
PARTS = {"rates": 1, "replicas": 3, "gaps": 3, "variants": 3, "bound": 4, "table": 7}


def whole_table(measured: dict[tuple[int, str], float]) -> dict[str, dict[str, Any]]:
    """All 16 cells. Cells that were not measured are interpolated between the nearest measured depths of the method."""
    found = {}
    for method in METHODS:
        known = sorted((depth, seconds) for (depth, m), seconds in measured.items() if m == method)
        for depth in sorted(DEPTHS):
            seconds = dict(known).get(depth)
            between = seconds is None
            if seconds is None:
                low = max(entry for entry in known if entry[0] < depth)
                high = min(entry for entry in known if entry[0] > depth)
                seconds = low[1] + (high[1] - low[1]) * (depth - low[0]) / (high[0] - low[0])
            hours = ITERATIONS * seconds / 3600
            found[f"depth {depth}, {method}"] = {"seconds_per_step": seconds, "between": between, "hours": hours}
    return found


def run(timings: Any, parts: tuple[str, ...], keep: Callable[[dict], None]) -> None:
    """Run the parts one after the other; a failure is recorded as `error` and affects only its own part."""
    found: dict[str, dict[str, Any]] = {}
    end = timings.deadline
    for number, part in enumerate(parts):
        started = time.monotonic()
        share = PARTS[part] / sum(PARTS[name] for name in parts[number:])
        timings.deadline, timings.cut_short = started + share * (end - started), False
        try:
            timings.check_time()
            found[part] = {"found": getattr(timings, part)()}
            if timings.cut_short:
                found[part]["cut_short"] = "not finished when its time ran out"
        except GpuOnly as error:
            found[part] = {"left_out": f"{error}: only on a GPU"}
        except Exception as error:
            traceback.print_exc()
            first = str(error).splitlines()[0] if str(error) else ""
            found[part] = {"error": f"{type(error).__name__}: {first}"}
        found[part]["seconds"] = time.monotonic() - started
        say(f"{timings.framework}: part {part}: {found[part].get('error') or found[part].get('left_out') or 'done'}")
        keep(found)


def main() -> None:
    """Time one framework in this process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.timing_process", description=__doc__)
    parser.add_argument("--framework", choices=("torch", "jax"), required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=tuple(PARTS))
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    deadline = time.monotonic() + options.seconds
    prepare_environment(usable_cpus())
    engine = importlib.import_module(f"impls.engine.{options.framework}_engine")
    if options.device == "cuda" and engine.default_device() != "cuda":
        raise SystemExit(f"error: {options.framework} finds no GPU")
    timings = Timings(options.framework, options.device, deadline)
    run(timings, tuple(options.parts), lambda found: options.output.write_text(json.dumps(found)))


if __name__ == "__main__":
    main()
