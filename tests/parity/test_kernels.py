"""How many kernels a step of PyTorch starts on a GPU, counted without one: on PyTorch's device `meta`.

A GPU computes a kernel of these small nets in microseconds, so their number decides the speed of a step. On the CPU no
test would show that it has doubled. Fewer is better: lower the number here then.
"""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from impls.engine import torch_engine
from impls.registry import spec_class
from tests.support.harness import SEEDS, inputs_of, runner

NO_KERNEL = ("empty", "empty_like", "new_empty", "_unsafe_view")  # they allocate, or rename an array


class KernelCount(TorchDispatchMode):
    """Counts the operations that start a kernel: all but views and allocations."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: Counter[str] = Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation.overloadpacket.__name__
        is_view = any(value.alias_info and not value.alias_info.is_write for value in operation._schema.returns)
        if not is_view and name not in NO_KERNEL:
            self.kernels[name] += 1
        if name == "_fused_adam_":  # `meta` does not have it; it returns nothing
            return None
        return operation(*args, **(kwargs or {}))


@pytest.fixture(autouse=True)
def meta_device(monkeypatch):
    """Runners take the device `meta`, and its steps the paths of a GPU."""
    for setting, value in ((torch_engine.STILL_RUNNING, 0), (torch_engine.COMPILED_ITERATIONS, 10**9)):
        monkeypatch.setitem(setting, "meta", value)


def kernels(experiment: str, fields: dict) -> Counter[str]:
    run = runner(experiment, spec_class(experiment).tiny(**fields), "torch", precision="fp32", device="meta")
    inputs = {name: run._array(value)[0] for name, value in inputs_of(run, SEEDS, 0, 1).items()}
    with torch.no_grad(), torch_engine.precision_mode("fp32"), KernelCount() as counted:
        run.implementation.step(run.spec, run.state, run.train_data, inputs)
    return counted.kernels


MNIST = {"dataset": "mnist", "model": "fcn", "depth": 3}
COPY = {"dataset": "copy", "truncation_length": 3}


@pytest.mark.parametrize(
    ("experiment", "fields", "expected"),
    [
        ("feedforward", MNIST | {"method": "no_bprop"}, 44),
        ("feedforward", MNIST | {"method": "bprop"}, 67),
        ("feedforward", MNIST | {"method": "cdni"}, 87),
        ("feedforward", MNIST | {"method": "dni"}, 163),
        ("feedforward", MNIST | {"model": "cnn", "method": "cdni"}, 115),
        ("unlock", {"method": "cdni", "unlock": "sparse"}, 621),
        ("unlock", {"method": "cdni", "unlock": "complete"}, 1446),
        ("recurrent", COPY | {"method": "bptt"}, 247),
        ("recurrent", COPY | {"method": "dni"}, 267),
        ("two_network", {"method": "dni"}, 642),
    ],
)
def test_a_step_starts_as_many_kernels_as_before(experiment, fields, expected):
    counted = kernels(experiment, fields)
    assert counted.total() == pytest.approx(expected, rel=0.1), counted.most_common(8)


def test_a_kernel_is_counted_and_a_view_is_not():
    with KernelCount() as counted:
        x = torch.empty(2, 3, device="meta")
        (x.t()[:1].reshape(-1) * 2).add_(1)
    assert counted.kernels == {"mul": 1, "add_": 1}
