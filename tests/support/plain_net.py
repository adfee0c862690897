"""A feed-forward net in plain PyTorch, written without any of the suite's code: the reference of the twins' tests.

`nn.functional`'s linear map, convolution (images channels first), batch norm and pooling; one replica at a time.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from impls.engine.state import stack_replicas
from impls.experiments.feedforward.spec import Spec
from tests.support.harness import SEEDS, observe, runner

EXACT = 1e-12
TINY = {"hidden_units": 7, "synthetic_gradient_units": 5, "batch_size": 8}
TINY_CNN = {"model": "cnn", "hidden_units": 3, "synthetic_gradient_units": 2, "batch_size": 4}
model_axis = pytest.mark.parametrize("sizes", [TINY, TINY_CNN], ids=["fcn", "cnn"])


def parameters_off_zero(spec: Spec, seeds: list[int] = SEEDS) -> dict[str, np.ndarray]:
    """Initial parameters with the zero maps of M, and all scales and shifts, moved to random values."""
    rng = np.random.default_rng(1)
    parameters = stack_replicas([spec.initial_parameters(seed) for seed in seeds])
    return {name: value + 0.3 * rng.standard_normal(value.shape) for name, value in parameters.items()}


def run_with(
    spec: Spec,
    framework: str,
    parameters: dict[str, np.ndarray],
    seeds: list[int] = SEEDS,
    experiment: str = "feedforward",
):
    """A run that starts from `parameters`."""
    run = runner(experiment, spec, framework, seeds=seeds)
    run.load(run.leaves() | {f"parameters.{name}": value for name, value in parameters.items()})
    return run


def gradients_of(run, inputs, *, compiled: bool = True) -> dict[str, np.ndarray]:
    found = observe(run, inputs, compiled=compiled)
    return {n.removeprefix("gradient."): v for n, v in found.items() if n.startswith("gradient.")}


class PlainNet:
    """One replica's net in plain PyTorch; every layer can be run by itself."""

    def __init__(self, spec: Spec, parameters: dict[str, np.ndarray], replica: int) -> None:
        self.spec = spec
        self.p = {n: torch.tensor(v[replica]).requires_grad_() for n, v in parameters.items()}

    def affine(self, name: str, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.p[f"{name}.weight"], self.p.get(f"{name}.bias")
        if self.spec.model == "fcn":
            return F.linear(x, weight.T, bias)
        return F.conv2d(x, weight.permute(3, 2, 0, 1), bias, padding="same")

    def hidden(self, name: str, x: torch.Tensor) -> torch.Tensor:
        z = self.affine(name, x)
        scale, shift = self.p[f"{name}.scale"], self.p[f"{name}.shift"]
        h = F.relu(F.batch_norm(z, None, None, scale, shift, training=True, eps=self.spec.batch_norm_epsilon))
        if self.spec.model == "fcn" or not name.startswith("layer"):
            return h
        return F.max_pool2d(h, 3, 2, 1) if name == "layer1" else F.avg_pool2d(h, 3, 2, 1)

    def summed_loss(self, h: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        h = channels_last(h).flatten(1)
        return F.cross_entropy(
            F.linear(h, self.p["classifier.weight"].T, self.p["classifier.bias"]), labels, reduction="sum"
        )

    def model(self, i: int, h: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if self.spec.method == "cdni":
            one_hot = torch.eye(10, dtype=h.dtype)[labels].reshape(len(labels), 10, *[1] * (h.ndim - 2))
            h = torch.cat([h, one_hot.expand(-1, -1, *h.shape[2:])], 1)
        names = {name.rsplit(".", 1)[0] for name in self.p if name.startswith(f"synthetic_gradient{i}.layer")}
        for name in sorted(names):
            h = self.hidden(name, h)
        return self.affine(f"synthetic_gradient{i}.output", h)


def channels_last(h: torch.Tensor) -> torch.Tensor:
    """[B, H, Y, X] -> [B, Y, X, H]; [B, H] stays."""
    return h.movedim(1, -1)


def plain_batch(run, inputs, replica: int) -> tuple[torch.Tensor, torch.Tensor]:
    indices = inputs["indices"][0, replica]
    data = {name: np.asarray(value) for name, value in run.train_data.items()}
    images = torch.tensor(data["inputs"][indices] / 255.0)
    shaped = images.flatten(1) if run.spec.model == "fcn" else images.reshape(*images.shape[:3], -1).movedim(-1, 1)
    return shaped, torch.tensor(data["labels"][indices].astype(np.int64))


def assert_close(found: np.ndarray, expected: torch.Tensor | None, name: str) -> None:
    assert expected is not None, f"the reference gives no gradient of {name}"
    wanted = expected.detach().numpy()
    # Small differences of large numbers have the large numbers' rounding errors.
    largest = max(1.0, np.abs(wanted).max())
    np.testing.assert_allclose(found, wanted, rtol=EXACT, atol=EXACT * largest, err_msg=name)


def true_activation_gradients(spec: Spec, run, parameters, inputs) -> dict[int, np.ndarray]:
    """By layer, the gradient of the summed loss with respect to its activation, by plain autograd: [R, B, H]."""
    replicas = []
    for replica in range(len(SEEDS)):
        net = PlainNet(spec, parameters, replica)
        h, labels = plain_batch(run, inputs, replica)
        activations = []
        for i in range(1, spec.depth):
            h = net.hidden(f"layer{i}", h)
            activations.append(h)
        gradients = torch.autograd.grad(net.summed_loss(h, labels), activations)
        replicas.append([channels_last(gradient).numpy() for gradient in gradients])
    return {i: np.stack([gradients[i - 1] for gradients in replicas]) for i in range(1, spec.depth)}
