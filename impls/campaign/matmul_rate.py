"""How fast one framework multiplies matrices on this machine, in a process of its own.

`python -m impls.campaign.matmul_rate torch cpu 1` prints floating-point operations per second of float32 products.
Their shapes are those of the paper's nets, and they go through the operation that the twins use. A campaign needs this
number where no finished run tells the rate.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable

from impls.engine.environment import prepare_environment

REPLICAS, BATCH, UNITS = 5, 256, 1024
SECONDS = 0.5


def main(framework: str, device: str, threads: str) -> None:
    """Print the rate."""
    prepare_environment(int(threads))
    multiply = _torch_product(device) if framework == "torch" else _jax_product(device)
    multiply()
    started, products = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        multiply()
        products += 1
    print(2 * REPLICAS * BATCH * UNITS * UNITS * products / (time.perf_counter() - started))


def _torch_product(device: str) -> Callable[[], object]:
    """A call that multiplies, and returns when the product is there."""
    import torch

    matmul = importlib.import_module("impls.engine.torch_ops").matmul
    a = torch.ones(REPLICAS, BATCH, UNITS, device=device)
    b = torch.ones(REPLICAS, UNITS, UNITS, device=device)
    return lambda: matmul(a, b).sum().item()


def _jax_product(device: str) -> Callable[[], object]:
    """A call that multiplies, and returns when the product is there."""
    import jax

    jax.config.update("jax_default_matmul_precision", "highest")
    compiled = jax.jit(importlib.import_module("impls.engine.jax_ops").matmul)
    where = jax.devices(device)[0]
    a = jax.device_put(jax.numpy.ones((REPLICAS, BATCH, UNITS)), where)
    b = jax.device_put(jax.numpy.ones((REPLICAS, UNITS, UNITS)), where)
    return lambda: compiled(a, b).block_until_ready()


if __name__ == "__main__":
    main(*sys.argv[1:])
