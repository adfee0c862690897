"""The machine's ceiling for matrix products, measured through the very operation that the twins use."""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable

import numpy as np

# [B, K] x [K, N]: the products of the paper's MNIST nets and their models of the gradient, and a large square one.
SHAPES = [(256, 784, 256), (256, 256, 1024), (256, 1024, 1024), (1024, 1024, 1024)]
TRIALS = 15


def matmul_operations_per_second(framework: str) -> float:
    """Floating-point operations per second in float32 at the best of `SHAPES`: the median over trials.

    The best shape and not the typical one, so that a share of the limit never looks better than it is.
    """
    return max(_rate(framework, *shape) for shape in SHAPES)


def _rate(framework: str, batch: int, inputs: int, outputs: int) -> float:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, batch, inputs)).astype(np.float32)
    weight = rng.standard_normal((1, inputs, outputs)).astype(np.float32)
    multiply = _prepared(framework, x, weight)
    multiply()
    seconds = []
    for _ in range(TRIALS):
        started = time.perf_counter()
        multiply()
        seconds.append(time.perf_counter() - started)
    return 2 * batch * inputs * outputs / statistics.median(seconds)


def _prepared(framework: str, x: np.ndarray, weight: np.ndarray) -> Callable[[], object]:
    """A call that multiplies arrays already on the CPU, and returns when the product is there."""
    matmul = importlib.import_module(f"impls.engine.{framework}_ops").matmul
    if framework == "torch":
        import torch

        a, b = torch.from_numpy(x), torch.from_numpy(weight)
        return lambda: matmul(a, b)
    import jax

    a, b, compiled = jax.numpy.asarray(x), jax.numpy.asarray(weight), jax.jit(matmul)
    return lambda: compiled(a, b).block_until_ready()
