"""The machine's limits in one framework, with the twins' own operations, at the shapes of the paper's nets.

Matrix products, convolutions, passes over memory, and the cost of a call. Each rate is a median over trials. The limit
is the rate of the best shape, not of a typical one, so that a share of the limit is never overstated.
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

# [B, K] x [K, N]: shapes of the paper's nets and of their models of the gradient, and a large square.
PRODUCTS = {
    "MNIST fcn, first layer": (256, 784, 256),
    "MNIST fcn, its other layers": (256, 256, 256),
    "MNIST M, first layer": (256, 256, 1024),
    "MNIST M, second layer": (256, 1024, 1024),
    "CIFAR-10 fcn, first layer": (256, 3072, 1000),
    "CIFAR-10 M": (256, 1000, 4000),
    "LSTM 256, recurrent": (256, 256, 1024),
    "LSTM 1024, recurrent": (256, 1024, 4096),
    "square": (1024, 1024, 1024),
}
SQUARE_ON_A_GPU = (8192, 8192, 8192)
# [B, Y, Y, K] with 5x5 windows to N filters, as (B, Y, K, N).
CONVOLUTIONS = {
    "MNIST cnn, first layer": (256, 28, 1, 64),
    "MNIST cnn, second layer": (256, 14, 64, 64),
    "CIFAR-10 cnn, second layer": (256, 16, 128, 128),
}
WINDOW = 5
REPLICAS = {"cpu": (1, 3), "cuda": (1, 20)}
BYTES = (2**18, 2**22, 2**26, 2**28)  # sizes of arrays that are read and written once
TRIALS, TRIAL_SECONDS, BUDGET_SECONDS = 15, 2e-3, 0.4
# The shapes used in `pytest benchmarks`, which measures them before and after every benchmark.
FEW = ("MNIST fcn, first layer", "MNIST M, first layer", "MNIST M, second layer", "square")


def matmul_operations_per_second(framework: str) -> float:
    """Floating-point operations per second in float32 on the CPU, for the best of a few shapes."""
    at = Bench(framework)
    return max(at.product(*PRODUCTS[name])["operations_per_second"] for name in FEW)


class Bench:
    """One framework on one device in one precision mode: makes arrays, and times calls including the device's work."""

    def __init__(self, framework: str, device: str = "cpu", precision: str = "fp32") -> None:
        self.engine = importlib.import_module(f"impls.engine.{framework}_engine")
        self.framework, self.device, self.precision = framework, device, precision
        self.dtype = self.engine.DTYPES[precision]
        self.ops = importlib.import_module(f"impls.engine.{framework}_ops")

    def product(self, batch: int, inputs: int, outputs: int, replicas: int = 1) -> dict[str, Any]:
        """One matrix product per replica: shape, replicas, operations per second."""
        x, weight = self.array(replicas, batch, inputs), self.array(replicas, inputs, outputs)
        seconds = self.seconds(self.compiled(self.ops.matmul), x, weight)
        operations = 2 * replicas * batch * inputs * outputs
        return {
            "shape": [batch, inputs, outputs],
            "replicas": replicas,
            "operations_per_second": operations / seconds,
        }

    def convolution(self, batch: int, side: int, channels: int, filters: int, replicas: int = 1) -> dict[str, Any]:
        """One convolution per replica: shape, replicas, operations per second."""
        x = self.array(replicas, batch, side, side, channels)
        weight = self.array(replicas, WINDOW, WINDOW, channels, filters)
        seconds = self.seconds(self.compiled(self.ops.convolution), x, weight)
        operations = 2 * replicas * batch * side**2 * WINDOW**2 * channels * filters
        shape = [batch, side, side, channels, filters]
        return {"shape": shape, "replicas": replicas, "operations_per_second": operations / seconds}

    def memory(self, size: int) -> dict[str, float]:
        """A pass that adds 1 in place to each number of an array of `size` bytes: bytes read and written per second."""
        x = self.array(size // self.array(1).nbytes)
        seconds = self.seconds(self.adding_one(x))
        return {"bytes": size, "bytes_per_second": 2 * size / seconds}

    def seconds_per_call(self) -> float:
        """Seconds of a call with negligible arithmetic: one operation (PyTorch), one compiled program (JAX)."""
        return self.seconds(self.adding_one(self.array(1)))

    def array(self, *shape: int) -> Any:
        """Random numbers on the device, in the mode's number format."""
        values = np.random.default_rng(0).standard_normal(shape, np.float32)
        if self.framework == "torch":
            import torch

            return torch.from_numpy(values).to(self.device, self.dtype)
        import jax

        with self.engine.precision_mode(self.precision):
            return jax.device_put(jax.numpy.asarray(values, self.dtype), jax.devices(self.device)[0])

    def compiled(self, function: Callable) -> Callable:
        """`function` as a launch runs it: eagerly (PyTorch), or as one compiled program (JAX)."""
        if self.framework == "torch":
            return function
        import jax

        options = self.engine.compiler_options(self.device)
        # A new function, because for a known one JAX would reuse the program of another mode.
        return jax.jit(lambda *arguments: function(*arguments), compiler_options=options)

    def adding_one(self, x: Any) -> Callable[[], Any]:
        """A call that adds 1 to `x` in place."""
        if self.framework == "torch":
            return lambda: x.add_(1)
        import jax

        held, add = [x], jax.jit(lambda x: x + 1, donate_argnums=0)

        def call() -> Any:
            held[0] = add(held[0])
            return held[0]

        return call

    def seconds(self, function: Callable, *arguments: Any) -> float:
        """Seconds of one call: the median over trials, each with so many calls that the final wait is negligible."""
        with self.engine.precision_mode(self.precision):
            self._wait(function(*arguments))  # compiles
            once = self._trial(function, arguments, 1)
            calls = max(1, min(1000, round(TRIAL_SECONDS / once)))
            trials = max(3, min(TRIALS, round(BUDGET_SECONDS / (calls * once))))
            return statistics.median(self._trial(function, arguments, calls) for _ in range(trials))

    def _trial(self, function: Callable, arguments: tuple, calls: int) -> float:
        started = time.perf_counter()
        for _ in range(calls):
            result = function(*arguments)
        self._wait(result)
        return (time.perf_counter() - started) / calls

    def _wait(self, result: Any) -> None:
        if self.framework == "jax":
            result.block_until_ready()
        elif self.device == "cuda":
            import torch

            torch.cuda.synchronize()


def ceilings(framework: str, device: str, precision: str) -> dict[str, Any]:
    """All limits: `products` and `convolutions` with their names, `memory`, `seconds_per_call`."""
    at = Bench(framework, device, precision)
    products = dict(PRODUCTS) | ({"square": SQUARE_ON_A_GPU} if device == "cuda" else {})
    found: dict[str, Any] = {"products": [], "convolutions": []}
    kinds: tuple = (("products", products, at.product), ("convolutions", CONVOLUTIONS, at.convolution))
    for kind, shapes, measure in kinds:
        for name, shape in shapes.items():
            # One replica of a large operation is enough, and several take seconds.
            several = REPLICAS[device] if kind == "products" and name != "square" else (1,)
            found[kind] += [{"name": name} | measure(*shape, replicas=replicas) for replicas in several]
    return found | {"memory": [at.memory(size) for size in BYTES], "seconds_per_call": at.seconds_per_call()}


def operations_per_second(found: dict[str, Any]) -> float:
    """The rate of the best product or convolution of `ceilings`."""
    return max(entry["operations_per_second"] for kind in ("products", "convolutions") for entry in found[kind])


def bytes_per_second(found: dict[str, Any], size: float) -> float:
    """The rate of the best pass that reads and writes at least `size` bytes.

    A smaller array may fit in a cache, where reads do not measure the memory. Beyond the largest measured array, its
    rate is used.
    """
    large_enough = [entry for entry in found["memory"] if 2 * entry["bytes"] >= size] or found["memory"][-1:]
    return max(entry["bytes_per_second"] for entry in large_enough)
