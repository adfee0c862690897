"""Feed-forward nets with synthetic gradients in PyTorch; line by line the twin of `jax_impl.py`.

Shape legend: R replicas, B batch, D pixels, H hidden units, C classes, E examples of an evaluation.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from impls.engine.torch_ops import Arrays, adam, adam_init, batch_norm, matmul, normalise, vjp
from impls.feedforward.spec import CLASSES, Spec

State = dict[str, dict]


def init(spec: Spec, parameters: Arrays) -> State:
    """The state before training: parameters with a leading replica axis, running statistics, Adam's moments."""
    statistics = {}
    for i in range(1, spec.depth):
        shift_RH = parameters[f"layer{i}.shift"]
        statistics[f"layer{i}.mean"] = torch.zeros_like(shift_RH)
        statistics[f"layer{i}.variance"] = torch.ones_like(shift_RH)
    return {"parameters": parameters, "statistics": statistics, "adam": adam_init(parameters)}


def part(parameters: Arrays, name: str) -> Arrays:
    """The parameters under `name.`, with that prefix taken off."""
    return {key.removeprefix(f"{name}."): value for key, value in parameters.items() if key.startswith(f"{name}.")}


def pixels(images_RBD: Tensor, dtype: torch.dtype) -> Tensor:
    """uint8 pixels to [0, 1]."""
    return images_RBD.to(dtype) / 255


def layer(parameters: Arrays, x_RBD: Tensor, epsilon: float) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Linear, batch norm, ReLU: [R, B, D] -> [R, B, H], and the batch's statistics."""
    z_RBH = matmul(x_RBD, parameters["weight"])
    y_RBH, statistics = batch_norm(z_RBH, parameters["scale"], parameters["shift"], epsilon)
    return F.relu(y_RBH), statistics


def logits(parameters: Arrays, h_RBH: Tensor) -> Tensor:
    """The linear classifier: [R, B, H] -> [R, B, C]."""
    return matmul(h_RBH, parameters["weight"]) + parameters["bias"][:, None]


def loss(parameters: Arrays, h_RBH: Tensor, labels_RB: Tensor) -> tuple[Tensor, None]:
    """Cross-entropy in nats, averaged over the batch: [R]."""
    log_probability_RBC = F.log_softmax(logits(parameters, h_RBH), -1)
    return -log_probability_RBC.gather(-1, labels_RB[..., None])[..., 0].mean(1), None


def synthetic_gradient(parameters: Arrays, h_RBH: Tensor, labels_RB: Tensor, spec: Spec) -> tuple[Tensor, None]:
    """M(h), or M(h, label) for cdni: the gradient of the loss with respect to h as M predicts it, [R, B, H]."""
    if spec.method == "cdni":
        h_RBH = torch.cat([h_RBH, F.one_hot(labels_RB, CLASSES).to(h_RBH.dtype)], -1)
    for j in range(1, len(spec.synthetic_gradient_sizes)):
        h_RBH, _ = layer(part(parameters, f"layer{j}"), h_RBH, spec.batch_norm_epsilon)
    output = part(parameters, "output")
    return matmul(h_RBH, output["weight"]) + output["bias"][:, None], None


def forward(spec: Spec, parameters: Arrays, x_RBD: Tensor) -> tuple[Arrays, Arrays, dict[int, Callable]]:
    """Run the hidden layers, each on its own.

    Returns:
        Activations `h0` (the input) to `h<N-1>`; every layer's batch mean and variance; by layer its pullback, which
        turns the gradient of its activation into those of its parameters and of its input.
    """
    h: Arrays = {"h0": x_RBD}
    statistics: Arrays = {}
    pullback = {}
    for i in range(1, spec.depth):
        layer_parameters = part(parameters, f"layer{i}")
        h[f"h{i}"], (mean_RH, variance_RH), pullback[i] = vjp(
            layer, layer_parameters, h[f"h{i - 1}"], spec.batch_norm_epsilon, input_gradient=i > 1
        )
        statistics |= {f"layer{i}.mean": mean_RH, f"layer{i}.variance": variance_RH}
    return h, statistics, pullback


def gradients(spec: Spec, parameters: Arrays, x_RBD: Tensor, labels_RB: Tensor) -> tuple[Arrays, Arrays, Arrays]:
    """What every parameter is updated with; the batch statistics; the activations.

    Layer i receives, as the gradient of its activation h_i,
        bprop      dL/dh_i, backpropagated through all layers above;
        no_bprop   zero;
        dni, cdni  the synthetic gradient M_i(h_i), which needs nothing from above, so layer i is not locked.
    M_i learns delta_i: what layer i + 1 sends down when given *its* synthetic gradient (a bootstrap; section 2.1).
    """
    h, statistics, pullback = forward(spec, parameters, x_RBD)
    batch_size = x_RBD.shape[1]
    # What flows is the gradient of `examples` times the mean loss; with the batch size, that of one example's loss.
    examples = batch_size if spec.target_scale == "example" else 1

    top = f"h{spec.depth - 1}"
    loss_R, _, loss_pullback = vjp(loss, part(parameters, "classifier"), h[top], labels_RB)
    classifier_gradients, delta_RBH = loss_pullback(torch.full_like(loss_R, examples))
    found = {f"classifier.{name}": value / examples for name, value in classifier_gradients.items()}
    if spec.method == "no_bprop":
        return found, statistics, h

    for i in reversed(range(1, spec.depth)):
        received_RBH = delta_RBH
        if spec.has_synthetic_gradients:
            name = f"synthetic_gradient{i}"
            received_RBH, _, model_pullback = vjp(
                synthetic_gradient, part(parameters, name), h[f"h{i}"], labels_RB, spec, input_gradient=False
            )
            # The gradient of |M(h) - delta|^2, summed over units and averaged over the batch.
            model_gradients, _ = model_pullback((received_RBH - delta_RBH) * (2 / batch_size))
            found |= {f"{name}.{key}": value for key, value in model_gradients.items()}
        layer_gradients, delta_RBH = pullback[i](received_RBH)
        found |= {f"layer{i}.{name}": value / examples for name, value in layer_gradients.items()}
    return found, statistics, h


def batch(state: State, data: Arrays, inputs: Arrays) -> tuple[Tensor, Tensor]:
    """The examples of one iteration: pixels [R, B, D], in the parameters' precision, and labels [R, B]."""
    dtype = state["parameters"]["classifier.weight"].dtype
    return pixels(data["inputs"][inputs["indices"]], dtype), data["labels"][inputs["indices"]]


def observe(spec: Spec, state: State, data: Arrays, inputs: Arrays) -> Arrays:
    """Activations and gradients of one iteration by name, which the parity ladder compares."""
    found, _, h = gradients(spec, state["parameters"], *batch(state, data, inputs))
    return h | {f"gradient of {name}": value for name, value in found.items()}


def step(spec: Spec, state: State, data: Arrays, inputs: Arrays) -> State:
    """One training iteration of all replicas. Updates `state` in place.

    Args:
        data: `inputs` uint8 [n, D] and `labels` [n] of the training set.
        inputs: `indices` [R, B] of this iteration's examples and its `learning_rate` [].
    """
    found, statistics, _ = gradients(spec, state["parameters"], *batch(state, data, inputs))
    adam(state["adam"], state["parameters"], found, inputs["learning_rate"], spec.adam_decays, spec.adam_epsilon)
    for name, value in statistics.items():
        state["statistics"][name].lerp_(value, 1 - spec.batch_norm_momentum)
    return state


def evaluate(spec: Spec, state: State, images_ED: Tensor, labels_E: Tensor) -> Arrays:
    """Sums over E examples, [R] each: `error` in percent, `loss` in nats."""
    parameters, statistics = state["parameters"], state["statistics"]
    replicas = parameters["classifier.bias"].shape[0]
    dtype = parameters["classifier.bias"].dtype
    h_REH = pixels(images_ED, dtype).expand(replicas, -1, -1)
    for i in range(1, spec.depth):
        p = part(parameters, f"layer{i}")
        mean_RH, variance_RH = statistics[f"layer{i}.mean"], statistics[f"layer{i}.variance"]
        z_REH = matmul(h_REH, p["weight"])
        h_REH = F.relu(normalise(z_REH, mean_RH, variance_RH, p["scale"], p["shift"], spec.batch_norm_epsilon))
    log_probability_REC = F.log_softmax(logits(part(parameters, "classifier"), h_REH), -1)
    error_R = 100 * (log_probability_REC.argmax(-1) != labels_E).to(dtype).sum(1)
    loss_R = -log_probability_REC.gather(-1, labels_E.expand(replicas, -1)[..., None]).sum((1, 2))
    return {"error": error_R, "loss": loss_R}
