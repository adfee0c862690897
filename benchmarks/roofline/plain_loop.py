"""The simplest training loop in PyTorch: modules, autograd, `torch.optim.Adam`, one call per operation.

It is the common reference for the engine's speed: the same arithmetic, one net, nothing fused, batched or captured. Two
cells have such a loop: a net of 64-64-10 units with a DNI after every hidden layer, and an LSTM on Copy trained by
truncated backpropagation, whose chunks are prepared in advance. Weights come from the spec.

Shape legend: T time steps of a chunk, B batch, D pixels, I inputs, O outputs, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impls.engine.state import Leaves
from impls.experiments.recurrent.torch_tasks import begin, read_sequences


class PlainDni:
    """A feed-forward net of `impls.experiments.feedforward`, method dni, without its replica axis."""

    def __init__(self, spec: Any, weights: Leaves, dtype: torch.dtype, device: str) -> None:
        self.layers = nn.ModuleList(hidden_layer(spec, weights, f"layer{i}") for i in range(1, spec.depth))
        self.classifier = linear(weights, "classifier")
        self.models = nn.ModuleList(self._model(spec, weights, f"synthetic_gradient{i}") for i in range(1, spec.depth))
        self.modules = nn.ModuleList([self.layers, self.classifier, self.models]).to(device, dtype)
        self.dtype, self.optimizer = dtype, adam(spec, self.modules)

    @staticmethod
    def _model(spec: Any, weights: Leaves, name: str) -> nn.Module:
        depth = spec.resolved("synthetic_gradient_depth")
        hidden = [hidden_layer(spec, weights, f"{name}.layer{j}") for j in range(1, depth + 1)]
        return nn.Sequential(*hidden, linear(weights, f"{name}.output"))

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One iteration on uint8 images [B, 28, 28] and labels [B]; returns the loss."""
        batch = len(labels)
        self.optimizer.zero_grad()
        h = images.flatten(1).to(self.dtype) / 255
        inputs, outputs = [], []
        for i, layer in enumerate(self.layers):
            inputs.append(h.detach().requires_grad_(i > 0))
            h = layer(inputs[-1])
            outputs.append(h)
        top = h.detach().requires_grad_()
        loss = F.cross_entropy(self.classifier(top), labels)
        loss.backward()
        delta = batch * _gradient(top)  # of one example's loss
        for i in reversed(range(len(self.layers))):
            synthetic = self.models[i](outputs[i].detach())
            (synthetic - delta).square().sum(1).mean().backward()
            outputs[i].backward(synthetic.detach() / batch)
            if i > 0:
                delta = batch * _gradient(inputs[i])
        self.optimizer.step()
        return loss.detach()


class PlainCopy:
    """An LSTM of `impls.experiments.recurrent` on Copy, method bptt, without its replica axis."""

    def __init__(self, spec: Any, weights: Leaves, dtype: torch.dtype, device: str) -> None:
        self.inputs, self.recurrent = linear(weights, "core.input"), linear(weights, "core.recurrent")
        self.outputs = linear(weights, "output")
        self.modules = nn.ModuleList([self.inputs, self.recurrent, self.outputs]).to(device, dtype)
        self.optimizer = adam(spec, self.modules)
        self.state = torch.zeros(2, spec.batch_size, spec.resolved("hidden_units"), dtype=dtype, device=device)

    def step(self, chunk: dict[str, Tensor]) -> Tensor:
        """One iteration on a chunk: `x` [T, B, I], `target` [T, B, O], `counted` [T, B], `keep` [T, B, 1]."""
        self.optimizer.zero_grad()
        h, c = self.state
        loss = torch.zeros((), dtype=h.dtype, device=h.device)
        for t in range(len(chunk["x"])):
            i, f, o, g = (self.inputs(chunk["x"][t]) + self.recurrent(h)).chunk(4, -1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            nats = F.binary_cross_entropy_with_logits(self.outputs(h), chunk["target"][t], reduction="none").sum(-1)
            loss = loss + (nats * chunk["counted"][t]).mean()
            h, c = h * chunk["keep"][t], c * chunk["keep"][t]
        loss.backward()
        self.state = torch.stack([h, c]).detach()
        self.optimizer.step()
        return loss.detach()


def _gradient(x: Tensor) -> Tensor:
    """What `backward` left of the gradient of x."""
    assert x.grad is not None
    return x.grad


def linear(weights: Leaves, name: str) -> nn.Linear:
    """nn.Linear with the spec's weight [K, N], and its bias if it has one."""
    weight, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
    inputs, outputs = weight.shape
    module = nn.Linear(inputs, outputs, bias=bias is not None, dtype=torch.float64)
    module.weight.data = torch.from_numpy(weight.T.copy())
    if bias is not None:
        module.bias.data = torch.from_numpy(bias.copy())
    return module


def hidden_layer(spec: Any, weights: Leaves, name: str) -> nn.Sequential:
    """Linear map, batch norm with scale 1 and shift 0 as in the spec's initial state, ReLU."""
    units = weights[f"{name}.weight"].shape[1]
    norm = nn.BatchNorm1d(units, spec.batch_norm_epsilon, 1 - spec.batch_norm_momentum)
    return nn.Sequential(linear(weights, name), norm, nn.ReLU())


def adam(spec: Any, modules: nn.Module) -> torch.optim.Adam:
    """The library's Adam, with the library's default implementation."""
    return torch.optim.Adam(modules.parameters(), spec.learning_rate, spec.adam_decays, spec.adam_epsilon)


def prepared(
    spec: Any, splits: dict[str, tuple[np.ndarray, np.ndarray]], block: Leaves, dtype: torch.dtype, device: str
) -> tuple[PlainDni | PlainCopy, list[Callable[[], Tensor]]]:
    """The plain net, and one call per iteration of `block`, the inputs of a run of one replica; each call trains once.

    The data of each step are already on the device.
    """
    weights = spec.initial_parameters(0)
    count = len(block["learning_rate"])
    if "indices" in block:
        net = PlainDni(spec, weights, dtype, device)
        images, labels = splits["train"]
        batches = [
            (torch.from_numpy(images[chosen]).to(device), torch.from_numpy(labels[chosen].astype(np.int64)).to(device))
            for chosen in block["indices"][:, 0]
        ]
        return net, [partial(net.step, *batch) for batch in batches]
    copy = PlainCopy(spec, weights, dtype, device)
    task, chunks = begin(spec, torch.zeros(1, dtype=dtype, device=device)), []
    for k in range(count):
        inputs = {
            "characters": torch.from_numpy(block["characters"][k]).to(device),
            "wait": torch.from_numpy(block["wait"][k]).to(device, dtype),
        }
        chunk, task = read_sequences(spec, task, inputs, dtype)
        chunks.append({name: value[0] for name, value in chunk.items()})
    return copy, [partial(copy.step, chunk) for chunk in chunks]
