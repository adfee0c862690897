"""Runs an experiment's JAX step fast: all replicas at once, data on the device, many steps per launch.

A launch is one compiled `lax.scan` over the iterations, and the state's buffers are donated to it. The same class, with
the same methods, is in `torch_engine.py`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from impls.engine import jax_bfloat16
from impls.engine.contract import Execution, MeasuringTwin, Twin
from impls.engine.environment import program_directory
from impls.engine.launches import STILL_RUNNING
from impls.engine.machine import gpu_driver
from impls.engine.spec import CellSpec
from impls.engine.state import Leaves, flatten, unflatten
from impls.errors import UserError

DTYPES = {"fp32": jnp.float32, "tf32": jnp.float32, "bf16": jnp.float32, "fp64": jnp.float64}


@contextlib.contextmanager
def precision_mode(precision: str) -> Iterator[None]:
    """A context in which JAX multiplies in this mode, and has 64-bit numbers only in mode fp64."""
    tf32 = precision in ("tf32", "bf16")  # TF32 represents every bfloat16 number
    with (
        jax.enable_x64(precision == "fp64"),
        jax.default_matmul_precision("tensorfloat32" if tf32 else "highest"),
        jax_bfloat16.chosen(precision == "bf16"),
    ):
        yield


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
        _keep_compilations()
        self.implementation, self.spec, self.steps_per_launch = implementation, spec, steps_per_launch
        self.precision, self.dtype = precision, DTYPES[precision]
        self.device = jax.devices(device)[0]
        jax.config.update("jax_default_device", self.device)  # also for the arrays of zeros in the twins
        self.splits = {
            name: {
                "inputs": self._array(inputs),
                "labels": self._array(labels.astype(np.int32)),
            }
            for name, (inputs, labels) in splits.items()
        }
        self.train_data = self.splits.get("train", {})
        with precision_mode(precision):
            self.state = implementation.init(
                spec, unflatten({name: self._array(value) for name, value in parameters.items()})
            )
        self.compile_seconds = 0.0
        self.execution: Execution = "compiled"
        self.still_running = STILL_RUNNING[device]
        self.running: deque[jax.Array] = deque()  # one array of each launch that may still run
        self.programs = programs(implementation, spec, compiler_options(device))

    @in_own_precision
    def advance(self, inputs: Leaves) -> None:
        """Run one iteration per entry of the leading axis of `inputs`. On a GPU it may go on after the return."""
        block = {name: self._array(value) for name, value in inputs.items()}
        arguments = self.state, self.train_data, block
        shapes = tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(arguments))
        if shapes not in self.programs.launches:
            started = time.perf_counter()
            self.programs.launches[shapes] = self.programs.launch.lower(*arguments).compile()
            self.compile_seconds += time.perf_counter() - started
        self.state, ended = self.programs.launches[shapes](*arguments)
        self.running.append(ended)
        self._wait(self.still_running)

    def wait(self) -> None:
        """Wait until all launches have ended."""
        self._wait(0)

    @in_own_precision
    def evaluate(self, split: str, examples: int | None) -> dict[str, np.ndarray]:
        """Means over the first `examples` of a split (None: all), by metric: float64 [R]."""
        data = {name: values[:examples] for name, values in self.splits[split].items()}
        total: dict[str, np.ndarray] = {}
        size = self.spec.evaluation_batch
        for start in range(0, len(data["labels"]), size):
            chunk = slice(start, start + size)
            sums = self.programs.evaluate(self.state, data["inputs"][chunk], data["labels"][chunk])
            total = {metric: total.get(metric, 0) + np.asarray(value, np.float64) for metric, value in sums.items()}
        return {metric: value / len(data["labels"]) for metric, value in total.items()}

    @in_own_precision
    def measure(self, inputs: Leaves) -> dict[str, np.ndarray]:
        """The metrics of the twin's `measure` for one iteration with the given `inputs` [1, ...]: float64 [R] each."""
        first = {name: self._array(value)[0] for name, value in inputs.items()}
        assert self.programs.measure is not None, "this spec measures nothing"
        metrics = self.programs.measure(self.state, self.train_data, first)
        return {metric: np.asarray(value, np.float64) for metric, value in metrics.items()}

    def leaves(self) -> Leaves:
        """The whole state as NumPy arrays, by path."""
        return {path: np.array(value) for path, value in flatten(self.state).items()}

    def load(self, leaves: Leaves) -> None:
        """Take over a state that `leaves` gave."""
        self.state = unflatten({path: self._array(leaves[path]) for path in flatten(self.state)})

    def peak_memory_bytes(self) -> int | None:
        """Peak device memory so far. None on the CPU, where the peak memory of the process is used instead."""
        return (self.device.memory_stats() or {}).get("peak_bytes_in_use")

    def _wait(self, still_running: int) -> None:
        while len(self.running) > still_running:
            self.running.popleft().block_until_ready()

    @in_own_precision
    def _array(self, value: np.ndarray) -> jax.Array:
        if np.issubdtype(value.dtype, np.floating):
            value = value.astype(self.dtype)
        return jnp.array(value, device=self.device)  # a copy: NumPy's buffers must not be donated


@dataclass(frozen=True)
class Programs:
    """The compiled programs of one cell."""

    launch: Any  # many steps; donates the state
    evaluate: Callable
    measure: Callable | None
    launches: dict[tuple, jax.stages.Compiled]  # of `launch`, by the shapes of its arguments


def programs(implementation: Twin, spec: CellSpec, options: dict[str, Any], unroll: int = 1) -> Programs:
    """The programs of a cell, which are compiled when they are first called.

    Args:
        options: XLA's, for `jax.jit`.
        unroll: steps in one round of the loop over the steps of a launch.
    """

    def launch(state: dict, data: dict, block: dict) -> tuple[dict, jax.Array]:
        def step(state: dict, inputs: dict) -> tuple[dict, None]:
            return implementation.step(spec, state, data, inputs), None

        ended = jnp.zeros(())  # ready when the launch has ended, and unlike the state never given to the next launch
        return lax.scan(step, state, block, unroll=unroll)[0], ended

    jit = partial(jax.jit, compiler_options=options)
    return Programs(
        launch=jit(launch, donate_argnums=0),
        evaluate=jit(partial(implementation.evaluate, spec)),
        measure=jit(partial(cast(MeasuringTwin, implementation).measure, spec)) if spec.measures_batch else None,
        launches={},
    )


@cache
def compiler_options(device: str) -> dict[str, str]:
    """Options for `jax.jit`: on the CPU XLA uses the library YNNPACK for matrix products only.

    By default XLA also uses it for convolutions and sums over an axis, which then take up to six times as long
    (docs/engine.md). The option is experimental. If a version of XLA refuses it, the run continues, slower, with a
    warning.
    """
    options = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"} if device == "cpu" else {}
    try:
        jax.jit(lambda x: x, compiler_options=options).lower(0.0).compile()
    except jax.errors.JaxRuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        warnings.warn(f"XLA refused an option, so this run continues without it, slower: {reason}", stacklevel=2)
        return {}
    return options


def _keep_compilations() -> None:
    jax.config.update("jax_compilation_cache_dir", str(program_directory("jax")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def default_device() -> str:
    """ "cuda" if JAX finds a GPU, else "cpu".

    Raises:
        UserError: a variable in the environment makes JAX unusable.
    """
    if jax.config.values["jax_disable_jit"]:
        raise UserError("JAX_DISABLE_JIT is set, and a run needs the compiler: unset it")
    try:
        return "cuda" if jax.default_backend() == "gpu" else "cpu"
    except RuntimeError as error:
        named = os.environ.get("JAX_PLATFORMS")
        raise UserError(f"JAX cannot start with JAX_PLATFORMS={named}: unset it ({error})") from None


def device_description(device: str) -> dict[str, str | int]:
    """Name of the device and, for a GPU, the versions of the CUDA software that JAX uses, for the run record."""
    if device == "cpu":
        return {}
    gpu = jax.devices("cuda")[0]
    return {"name": gpu.device_kind, "cuda": str(gpu.client.platform_version), **gpu_driver()}
