"""Runs an experiment's PyTorch step fast: all replicas at once, data on the device, many steps per launch.

The whole step, including the optimizer, is captured once and replayed: on a GPU as a CUDA graph, on the CPU as a flat
list of operations, without the overhead of Python and autograd. In a long run it is compiled before. The same class,
with the same methods, is in `jax_engine.py`.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import torch

from impls.engine import torch_bfloat16
from impls.engine.contract import Execution, MeasuringTwin, Twin
from impls.engine.launches import STILL_RUNNING
from impls.engine.machine import gpu_driver
from impls.engine.spec import CellSpec
from impls.engine.state import Leaves, flatten, iterations_in, unflatten
from impls.engine.torch_capture import WARM_UP_STEPS, capture
from impls.engine.torch_compile import REPLACED, can_be_compiled, compiled, has_compiler

DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.float32, "fp64": torch.float64}
# On the CPU a shorter run is not captured: tracing a step takes 1 to 6 s and saves 1 to 15 ms per step.
CAPTURED_ITERATIONS = 1_000
# A run shorter than this is not compiled: compiling takes 10 to 80 s, once for each cell on a machine. A captured step
# gains less by it on a GPU.
COMPILED_ITERATIONS = {"cpu": 20_000, "cuda": 100_000}


@contextlib.contextmanager
def precision_mode(precision: str) -> Iterator[None]:
    """A context in which PyTorch multiplies in this mode, and cuDNN takes the algorithm that is fastest in a trial.

    The switches are global, so they are restored at the end.
    """
    tf32 = precision in ("tf32", "bf16")  # TF32 represents every bfloat16 number
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, matmul.allow_bf16_reduced_precision_reduction, cudnn.allow_tf32, cudnn.benchmark
    try:
        matmul.allow_tf32, matmul.allow_bf16_reduced_precision_reduction = tf32, False
        cudnn.allow_tf32, cudnn.benchmark = tf32, True
        with torch_bfloat16.chosen(precision == "bf16"):
            yield
    finally:
        matmul.allow_tf32, matmul.allow_bf16_reduced_precision_reduction, cudnn.allow_tf32, cudnn.benchmark = before


def in_own_precision(method: Callable) -> Callable:
    """A method of a Runner that computes in the Runner's own precision mode, also when there are other Runners."""

    @functools.wraps(method)
    def computing(self: Runner, *arguments: Any) -> Any:
        with precision_mode(self.precision):
            return method(self, *arguments)

    return computing


class Runner:
    """Holds the state of one run on a device and advances it.

    Args:
        implementation: the experiment's twin, with `init`, `step` and `evaluate`.
        parameters: float64, by name, with a leading replica axis.
        splits: name -> (inputs uint8 [n, ...], labels [n]). The steps use `train`; every split is evaluated. Empty for
            a task that is drawn from the seeds.
        steps_per_launch: maximum number of iterations in one call of `advance`.
    """

    def __init__(
        self,
        implementation: Twin,
        spec: CellSpec,
        parameters: Leaves,
        splits: dict[str, tuple[np.ndarray, np.ndarray]],
        *,
        precision: str,
        device: str,
        steps_per_launch: int,
    ) -> None:
        self.implementation, self.spec, self.steps_per_launch = implementation, spec, steps_per_launch
        self.device = torch.device(device)
        self.precision, self.dtype = precision, DTYPES[precision]
        if self.device.type == "cpu":
            _keep_freed_memory()
        self.splits = {
            name: {"inputs": self._array(inputs), "labels": self._array(labels).long()}
            for name, (inputs, labels) in splits.items()
        }
        self.train_data = self.splits.get("train", {})
        self.state = implementation.init(
            spec, unflatten({name: self._array(value) for name, value in parameters.items()})
        )
        self.compile_seconds = 0.0
        self.captures = self.device.type == "cuda" or spec.iterations >= CAPTURED_ITERATIONS
        self.compiles = spec.iterations >= COMPILED_ITERATIONS[self.device.type] and has_compiler(self.device.type)
        self.execution: Execution = "plain"
        self.still_running = STILL_RUNNING[self.device.type]
        self.running: deque[torch.cuda.Event] = deque()  # the ends of the launches that may still run
        self.replay: Callable[[Leaves], None] | None = None  # runs a block of iterations; set by the capture

    @in_own_precision
    @torch.no_grad()
    def advance(self, inputs: Leaves) -> None:
        """Run one iteration per entry of the leading axis of `inputs`. On a GPU it may go on after the return."""
        if self.captures and self.replay is None:
            started = time.perf_counter()
            captured = self._capture_graph if self.device.type == "cuda" else self._capture_operations
            self.execution = "captured"
            self.replay = captured(inputs)
            self.compile_seconds += time.perf_counter() - started
        run = self.replay or self._run_plainly
        run(inputs)
        if self.device.type == "cuda":
            self.running.append(torch.cuda.Event())
            self.running[-1].record()
        self._wait(self.still_running)

    def wait(self) -> None:
        """Wait until all launches have ended."""
        self._wait(0)

    @in_own_precision
    @torch.no_grad()
    def evaluate(self, split: str, examples: int | None) -> dict[str, np.ndarray]:
        """Means over the first `examples` of a split (None: all), by metric: float64 [R]."""
        data = {name: values[:examples] for name, values in self.splits[split].items()}
        total: dict[str, torch.Tensor] = {}
        size = self.spec.evaluation_batch
        for start in range(0, len(data["labels"]), size):
            chunk = slice(start, start + size)
            sums = self.implementation.evaluate(self.spec, self.state, data["inputs"][chunk], data["labels"][chunk])
            total = {metric: total.get(metric, 0) + value for metric, value in sums.items()}
        return {metric: (value.double() / len(data["labels"])).cpu().numpy() for metric, value in total.items()}

    @in_own_precision
    @torch.no_grad()
    def measure(self, inputs: Leaves) -> dict[str, np.ndarray]:
        """The metrics of the twin's `measure` for one iteration with the given `inputs` [1, ...]: float64 [R] each."""
        first = {name: self._array(value)[0] for name, value in inputs.items()}
        twin = cast(MeasuringTwin, self.implementation)
        metrics = twin.measure(self.spec, self.state, self.train_data, first)
        return {metric: value.double().cpu().numpy() for metric, value in metrics.items()}

    def leaves(self) -> Leaves:
        """The whole state as NumPy arrays, by path."""
        return {path: value.detach().cpu().numpy().copy() for path, value in flatten(self.state).items()}

    @torch.no_grad()
    def load(self, leaves: Leaves) -> None:
        """Take over a state that `leaves` gave."""
        self._restore({path: torch.from_numpy(value) for path, value in leaves.items()})

    def peak_memory_bytes(self) -> int | None:
        """Peak device memory so far. None on the CPU, where the peak memory of the process is used instead."""
        return torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else None

    def _run_plainly(self, inputs: Leaves) -> None:
        block = {name: self._array(value) for name, value in inputs.items()}
        for k in range(iterations_in(inputs)):
            self._step({name: values[k] for name, values in block.items()})

    def _step(self, inputs: dict[str, torch.Tensor]) -> None:
        self.state = self.implementation.step(self.spec, self.state, self.train_data, inputs)

    def _traced(self, inputs: Leaves) -> Callable[[dict[str, torch.Tensor]], object]:
        """One step as a program of the same operations in the same order, compiled in a long run.

        It updates the state in place, and gets the inputs of one iteration.
        """
        from torch.fx.experimental.proxy_tensor import make_fx  # takes a second, which short runs save

        leaves = flatten(self.state)
        first = {name: self._array(value[0]) for name, value in inputs.items()}

        def step(*tensors: torch.Tensor) -> tuple[()]:
            rest = iter(tensors)
            state, data, inputs = ({name: next(rest) for name in names} for names in (leaves, self.train_data, first))
            self.implementation.step(self.spec, unflatten(state), data, inputs)
            return ()  # the compiler wants a tuple

        before = self._copies()
        fixed = [*leaves.values(), *self.train_data.values()]
        arguments = [*fixed, *first.values()]
        recorded = make_fx(step)(*arguments)
        program: Callable[..., object] = recorded
        if self.compiles and can_be_compiled(recorded):
            program = compiled(make_fx(step, REPLACED)(*arguments), arguments, otherwise=recorded)
            self.execution = "captured" if program is recorded else "compiled"
        self._restore(before)  # tracing and compiling run the step
        return lambda inputs: program(*fixed, *(inputs[name] for name in first))

    def _capture_operations(self, inputs: Leaves) -> Callable[[Leaves], None]:
        program = self._traced(inputs)

        def replay(inputs: Leaves) -> None:
            block = {name: self._array(value) for name, value in inputs.items()}
            for k in range(iterations_in(inputs)):
                program({name: value[k] for name, value in block.items()})

        return replay

    def _capture_graph(self, inputs: Leaves) -> Callable[[Leaves], None]:
        """Record one step. It reads its inputs at `position` and advances it, so replays need nothing from the host."""
        run_step = self._traced(inputs) if self.compiles else self._step
        block, rows = {}, max(self.steps_per_launch, WARM_UP_STEPS + 1)
        for name, value in inputs.items():
            first = self._array(value[:1])
            block[name] = first.expand(rows, *first.shape[1:]).contiguous()
        position = torch.zeros(1, dtype=torch.long, device=self.device)

        def step() -> None:
            run_step({name: values.index_select(0, position)[0] for name, values in block.items()})
            position.add_(1)

        before, addresses = self._copies(), self._addresses()
        replay_step = capture(step, self.device)
        replaced = [path for path, address in self._addresses().items() if addresses.get(path) != address]
        if replaced:
            raise RuntimeError(f"a captured step must update its state in place, but this one replaced {replaced[0]}")
        self._restore(before)  # the calls before the recording have trained

        def replay(inputs: Leaves) -> None:
            steps = iterations_in(inputs)
            for name, value in inputs.items():
                block[name][:steps].copy_(self._array(value))
            position.zero_()
            for _ in range(steps):
                replay_step()

        return replay

    def _copies(self) -> dict[str, torch.Tensor]:
        return {path: value.clone() for path, value in flatten(self.state).items()}

    def _addresses(self) -> dict[str, int]:
        return {path: value.data_ptr() for path, value in flatten(self.state).items()}

    def _restore(self, copies: dict[str, torch.Tensor]) -> None:
        """Restore the state in place, because the captured program refers to its addresses."""
        for path, value in flatten(self.state).items():
            value.copy_(copies[path])

    def _wait(self, still_running: int) -> None:
        while len(self.running) > still_running:
            self.running.popleft().synchronize()

    def _array(self, value: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(np.array(value))  # a copy, because torch warns about read-only arrays
        if tensor.is_floating_point():
            tensor = tensor.to(self.dtype)
        if self.device.type == "cuda":  # only from pinned memory a copy need not wait for the steps before it
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)


def default_device() -> str:
    """ "cuda" if PyTorch finds a GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def device_description(device: str) -> dict[str, str | int]:
    """Name of the device and, for a GPU, the versions of the CUDA software that PyTorch uses, for the run record."""
    if device == "cpu":
        return {}
    return {
        "name": torch.cuda.get_device_name(),
        "cuda": str(torch.version.cuda),
        "cudnn": str(torch.backends.cudnn.version()),
        **gpu_driver(),
    }


def _keep_freed_memory() -> None:
    """Tell glibc to keep freed memory. By default it maps new pages for each temporary array, which took a tenth of
    the time of a step."""
    M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return  # not glibc: nothing to set
    libc.mallopt(M_TRIM_THRESHOLD, 1 << 30)
    libc.mallopt(M_MMAP_THRESHOLD, 1 << 25)  # the maximum that glibc accepts
