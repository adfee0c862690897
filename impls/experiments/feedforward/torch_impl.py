"""Feed-forward nets with synthetic gradients in PyTorch; line by line the twin of `jax_impl.py`.

Shape legend: R replicas, B batch, H an activation's units, C classes, E examples of an evaluation, N rows of a batch
norm. In a convolutional net H stands for [Y, X, H]: rows, columns, filters.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from impls.engine import torch_ops as ops
from impls.engine.torch_ops import Arrays, vjp
from impls.experiments.feedforward.spec import CLASSES, Spec

State = dict[str, dict]
POOLINGS = {None: lambda h_RBH: h_RBH, "max": ops.max_pool, "average": ops.average_pool}


def init(spec: Spec, parameters: Arrays) -> State:
    """The state before training: parameters with a leading replica axis, running statistics, Adam's moments."""
    statistics = {}
    for i in range(1, spec.depth):
        shift_RH = parameters[f"layer{i}.shift"]
        statistics[f"layer{i}.mean"] = torch.zeros_like(shift_RH)
        statistics[f"layer{i}.variance"] = torch.ones_like(shift_RH)
        if spec.method == "stale":
            shape = (len(shift_RH), *spec.activation_shape(i))
            statistics[f"h{i}.gradient"] = torch.zeros(shape, dtype=shift_RH.dtype, device=shift_RH.device)
    return {"parameters": parameters, "statistics": statistics, "adam": ops.adam_init(parameters)}


def part(parameters: Arrays, name: str) -> Arrays:
    """The parameters under `name.`, with that prefix taken off."""
    return {key.removeprefix(f"{name}."): value for key, value in parameters.items() if key.startswith(f"{name}.")}


def pixels(spec: Spec, images_RB: Tensor, dtype: torch.dtype) -> Tensor:
    """uint8 images to [0, 1], each in the shape that the net takes: [R, B, D] or [R, B, Y, X, C]."""
    return images_RB.reshape(*images_RB.shape[:2], *spec.input_shape).to(dtype) / 255


def affine(parameters: Arrays, x_RBH: Tensor) -> Tensor:
    """A linear map or a convolution, as its weight's shape says, and its bias where it has one: [R, B, H]."""
    weight = parameters["weight"]
    z_RBH = ops.matmul(x_RBH, weight) if weight.ndim == 3 else ops.convolution(x_RBH, weight)
    if "bias" in parameters:
        z_RBH = z_RBH + parameters["bias"].reshape(len(weight), *[1] * (z_RBH.ndim - 2), -1)
    return z_RBH


def layer(
    parameters: Arrays, x_RBH: Tensor, spec: Spec, pooling: str | None = None, running: tuple | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Linear map or convolution, batch norm, ReLU, pooling: [R, B, H] -> [R, B, H'].

    Args:
        running: (mean, variance) to normalise with, each [R, H]; not given: the batch's own.

    Returns:
        The activation, and the (mean, variance) that it was normalised with.
    """
    z_RBH = affine(parameters, x_RBH)
    z_RNH = z_RBH.reshape(len(z_RBH), -1, z_RBH.shape[-1])
    scale_RH, shift_RH = parameters["scale"], parameters["shift"]
    if running is None:
        y_RNH, running = ops.batch_norm(z_RNH, scale_RH, shift_RH, spec.batch_norm_epsilon)
    else:
        y_RNH = ops.normalise(z_RNH, *running, scale_RH, shift_RH, spec.batch_norm_epsilon)
    return POOLINGS[pooling](F.relu(y_RNH).reshape(z_RBH.shape)), running


def logits(parameters: Arrays, h_RBH: Tensor) -> Tensor:
    """The linear classifier: [R, B, H] -> [R, B, C]."""
    return affine(parameters, h_RBH.reshape(*h_RBH.shape[:2], -1))


def loss(parameters: Arrays, h_RBH: Tensor, labels_RB: Tensor) -> tuple[Tensor, None]:
    """Cross-entropy in nats, averaged over the batch: [R]."""
    log_probability_RBC = F.log_softmax(logits(parameters, h_RBH), -1)
    return -log_probability_RBC.gather(-1, labels_RB[..., None])[..., 0].mean(1), None


def synthetic_gradient(parameters: Arrays, h_RBH: Tensor, labels_RB: Tensor, spec: Spec) -> tuple[Tensor, None]:
    """M(h), or M(h, label) for cdni: the gradient of the loss with respect to h as M predicts it, [R, B, H]."""
    if spec.method == "cdni":
        place = h_RBH.shape[2:-1]  # (Y, X) in a convolutional net: the label is then ten constant channels
        labels_RBC = ops.one_hot(labels_RB, CLASSES, h_RBH.dtype)
        labels_RBC = labels_RBC.reshape(*labels_RB.shape, *[1] * len(place), CLASSES)
        h_RBH = torch.cat([h_RBH, labels_RBC.expand(*labels_RB.shape, *place, CLASSES)], -1)
    for j in range(1, spec.resolved("synthetic_gradient_depth") + 1):
        h_RBH, _ = layer(part(parameters, f"layer{j}"), h_RBH, spec)
    return affine(part(parameters, "output"), h_RBH), None


def forward(spec: Spec, parameters: Arrays, x_RBH: Tensor) -> tuple[Arrays, Arrays, dict[int, Callable]]:
    """Run the hidden layers, each on its own.

    Returns:
        Activations `h0` (the input) to `h<N-1>`; every layer's batch mean and variance; by layer its pullback, which
        turns the gradient of its activation into those of its parameters and of its input.
    """
    h: Arrays = {"h0": x_RBH}
    statistics: Arrays = {}
    pullback = {}
    for i in range(1, spec.depth):
        layer_parameters = part(parameters, f"layer{i}")
        h[f"h{i}"], (mean_RH, variance_RH), pullback[i] = vjp(
            layer, layer_parameters, h[f"h{i - 1}"], spec, spec.pooling(i), input_gradient=i > 1
        )
        statistics |= {f"layer{i}.mean": mean_RH, f"layer{i}.variance": variance_RH}
    return h, statistics, pullback


def backpropagate(spec: Spec, pullback: dict[int, Callable], delta_RBH: Tensor) -> Arrays:
    """The true gradients: of every hidden activation by `h<i>`, from that of the highest, across all cuts."""
    true = {f"h{spec.depth - 1}": delta_RBH}
    for i in reversed(range(2, spec.depth)):
        _, true[f"h{i - 1}"] = pullback[i](true[f"h{i}"])
    return true


def gradients(spec: Spec, state: State, x_RBH: Tensor, labels_RB: Tensor) -> tuple[Arrays, Arrays, Arrays]:
    """What every parameter is updated with; what the running statistics move towards; the activations.

    Layer i receives, as the gradient of its activation h_i, what comes from above; where the net is cut after it,
        no_bprop   zero;
        stale      the average over past iterations of dL/dh_i, averaged over each batch;
        dni, cdni  the synthetic gradient M_i(h_i), which needs nothing from above, so layer i is not locked;
                   with bp_lambda > 0 mixed with what comes from above (BP(lambda), section 7).
    M_i learns delta_i: what layer i + 1 sends down for what *it* received (a bootstrap; section 1).
    """
    parameters = state["parameters"]
    h, statistics, pullback = forward(spec, parameters, x_RBH)
    batch_size = len(labels_RB[0])
    # What flows is the gradient of `examples` times the mean loss; with the batch size, that of one example's loss.
    examples = batch_size if spec.target_scale == "example" else 1

    loss_R, _, loss_pullback = vjp(loss, part(parameters, "classifier"), h[f"h{spec.depth - 1}"], labels_RB)
    classifier_gradients, delta_RBH = loss_pullback(torch.full_like(loss_R, examples))
    found = {f"classifier.{name}": value / examples for name, value in classifier_gradients.items()}
    if spec.method == "stale":
        true = backpropagate(spec, pullback, delta_RBH)
        statistics |= {f"{name}.gradient": value.mean(1) for name, value in true.items()}

    for i in reversed(range(1, spec.depth)):
        received_RBH = delta_RBH
        if i in spec.cuts:
            if spec.method == "no_bprop":
                break  # no gradient, so no update, for this layer and all below
            if spec.method == "stale":
                received_RBH = state["statistics"][f"h{i}.gradient"][:, None].expand(delta_RBH.shape)
            else:
                name = f"synthetic_gradient{i}"
                synthetic_RBH, _, model_pullback = vjp(
                    synthetic_gradient, part(parameters, name), h[f"h{i}"], labels_RB, spec, input_gradient=False
                )
                # The gradient of |M(h) - delta|^2, summed over units and averaged over the batch.
                model_gradients, _ = model_pullback((synthetic_RBH - delta_RBH) * (2 / batch_size))
                found |= {f"{name}.{key}": value for key, value in model_gradients.items()}
                received_RBH = synthetic_RBH
                if spec.bp_lambda:
                    received_RBH = (1 - spec.bp_lambda) * synthetic_RBH + spec.bp_lambda * delta_RBH
        layer_gradients, delta_RBH = pullback[i](received_RBH)
        found |= {f"layer{i}.{name}": value / examples for name, value in layer_gradients.items()}
    return found, statistics, h


def batch(spec: Spec, state: State, data: Arrays, inputs: Arrays) -> tuple[Tensor, Tensor]:
    """The examples of one iteration: pixels [R, B, H], in the parameters' precision, and labels [R, B]."""
    dtype = state["parameters"]["classifier.weight"].dtype
    return pixels(spec, data["inputs"][inputs["indices"]], dtype), data["labels"][inputs["indices"]]


def observe(spec: Spec, state: State, data: Arrays, inputs: Arrays) -> Arrays:
    """Activations and gradients of one iteration by name, which the parity ladder compares."""
    found, _, h = gradients(spec, state, *batch(spec, state, data, inputs))
    return h | {f"gradient of {name}": value for name, value in found.items()}


def measure(spec: Spec, state: State, data: Arrays, inputs: Arrays) -> Arrays:
    """How near synthetic gradients are to the true ones on one training batch: means over its examples, [R] each.

    For the cut after layer i: `h<i>.l2_error` and, for comparison, `h<i>.true_norm`, which is the error of a zero
    gradient, both of one example's loss; `h<i>.cosine_similarity`; `h<i>.sign_error`, the percentage of dimensions
    whose sign is wrong.
    """
    x_RBH, labels_RB = batch(spec, state, data, inputs)
    h, _, pullback = forward(spec, state["parameters"], x_RBH)
    classifier = part(state["parameters"], "classifier")
    loss_R, _, loss_pullback = vjp(loss, classifier, h[f"h{spec.depth - 1}"], labels_RB)
    _, delta_RBH = loss_pullback(torch.full_like(loss_R, len(labels_RB[0])))
    true = backpropagate(spec, pullback, delta_RBH)
    found = {}
    for i in spec.cuts:
        model = part(state["parameters"], f"synthetic_gradient{i}")
        synthetic_RBH, _ = synthetic_gradient(model, h[f"h{i}"], labels_RB, spec)
        if spec.target_scale == "batch_mean":
            synthetic_RBH = synthetic_RBH * len(labels_RB[0])
        a_RBH, b_RBH = (value.reshape(*labels_RB.shape, -1) for value in (synthetic_RBH, true[f"h{i}"]))
        norm_RB, true_norm_RB = a_RBH.square().sum(-1).sqrt(), b_RBH.square().sum(-1).sqrt()
        tiny = torch.finfo(norm_RB.dtype).tiny  # before M has learnt anything its output is zero, and so the cosine
        found[f"h{i}.l2_error"] = (a_RBH - b_RBH).square().sum(-1).sqrt().mean(1)
        found[f"h{i}.true_norm"] = true_norm_RB.mean(1)
        found[f"h{i}.cosine_similarity"] = ((a_RBH * b_RBH).sum(-1) / (norm_RB * true_norm_RB + tiny)).mean(1)
        found[f"h{i}.sign_error"] = 100 * (a_RBH.sign() != b_RBH.sign()).to(norm_RB.dtype).mean((1, 2))
    return found


def step(spec: Spec, state: State, data: Arrays, inputs: Arrays) -> State:
    """One training iteration of all replicas. Updates `state` in place.

    Args:
        data: `inputs` uint8 [n, ...] and `labels` [n] of the training set.
        inputs: `indices` [R, B] of this iteration's examples and its `learning_rate` [].
    """
    found, statistics, _ = gradients(spec, state, *batch(spec, state, data, inputs))
    ops.adam(state["adam"], state["parameters"], found, inputs["learning_rate"], spec.adam_decays, spec.adam_epsilon)
    for name, value in statistics.items():
        state["statistics"][name].lerp_(value, 1 - spec.statistic_decay(name))
    return state


def evaluate(spec: Spec, state: State, images_E: Tensor, labels_E: Tensor) -> Arrays:
    """Sums over E examples, [R] each: `error` in percent, `loss` in nats."""
    parameters, statistics = state["parameters"], state["statistics"]
    replicas, dtype = len(parameters["classifier.bias"]), parameters["classifier.bias"].dtype
    x_EH = pixels(spec, images_E[None], dtype)[0]
    h_REH = x_EH.expand(replicas, *x_EH.shape)
    for i in range(1, spec.depth):
        running = statistics[f"layer{i}.mean"], statistics[f"layer{i}.variance"]
        h_REH, _ = layer(part(parameters, f"layer{i}"), h_REH, spec, spec.pooling(i), running)
    log_probability_REC = F.log_softmax(logits(part(parameters, "classifier"), h_REH), -1)
    error_R = 100 * (log_probability_REC.argmax(-1) != labels_E).to(dtype).sum(1)
    loss_R = -log_probability_REC.gather(-1, labels_E.expand(replicas, -1)[..., None]).sum((1, 2))
    return {"error": error_R, "loss": loss_R}
