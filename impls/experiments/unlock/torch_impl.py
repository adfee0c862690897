"""Sparse updates and complete unlock in PyTorch; line by line the twin of `jax_impl.py`.

The net, its layers and the models M are those of the feed-forward experiment. Shape legend: R replicas, B batch, H an
activation's units.
"""

from __future__ import annotations

import torch
from torch import Tensor

from impls.engine import torch_ops as ops
from impls.engine.state import flatten, unflatten
from impls.engine.torch_ops import Arrays, vjp
from impls.experiments.feedforward import torch_impl as feedforward
from impls.experiments.feedforward.torch_impl import (
    State,
    affine,
    batch,
    evaluate,
    layer,
    loss,
    part,
    synthetic_gradient,
)
from impls.experiments.unlock.spec import Spec

__all__ = ["evaluate", "init", "observe", "step"]


def init(spec: Spec, parameters: Arrays) -> State:
    """The state before training. Adam counts updates by parameter and replica, since they come at different times."""
    return feedforward.init(spec, parameters) | {"adam": ops.adam_where_init(parameters)}


def input_model(parameters: Arrays, x_RBH: Tensor, spec: Spec) -> tuple[Tensor, None]:
    """I(x): what the layer below would send, from the pixels alone, [R, B, H]."""
    h_RBH, _ = layer(part(parameters, "layer1"), x_RBH, spec)
    return affine(part(parameters, "output"), h_RBH), None


def learn(spec: Spec, state: State, gradients: Arrays, learning_rate: Tensor, visited_R: Tensor) -> State:
    """One update of Adam of the parameters in `gradients`, in the replicas `visited_R`; in place."""
    ops.adam_where(
        visited_R,
        state["adam"],
        state["parameters"],
        gradients,
        learning_rate,
        spec.adam_decays,
        spec.adam_epsilon,
    )
    return state


def follow(spec: Spec, state: State, i: int, mean_RH: Tensor, variance_RH: Tensor, visited_R: Tensor) -> State:
    """Move layer i's running statistics towards the batch's in the replicas `visited_R`; in place."""
    for name, value_RH in ((f"layer{i}.mean", mean_RH), (f"layer{i}.variance", variance_RH)):
        weight_R = (1 - spec.batch_norm_momentum) * visited_R.to(value_RH.dtype)
        state["statistics"][name].lerp_(value_RH, weight_R[:, None].expand(value_RH.shape))
    return state


def iterate(spec: Spec, state: State, data: Arrays, inputs: Arrays) -> tuple[State, Arrays]:
    """A forward pass, then the visits; returns the state after them, and what was computed, by name.

    A visit of layer i
    - updates layer i with the gradient that it receives: M_i(h_i), or the loss's own for the classifier;
    - sends the gradient of its input down, which M_{i-1} is updated towards;
    - sends h_i up, which in the complete unlock I_{i+1} is updated towards.
    All activations are those of the forward pass, so one thing alone depends on the order: whether M_i has learnt from
    layer i + 1 by the time when layer i asks it. The visits can hence be gone through from above, for all replicas at
    once, with M_i asked before and after it learns.
    """
    x_RBH, labels_RB = batch(spec, state, data, inputs)
    batch_size, rate = len(labels_RB[0]), inputs["learning_rate"]
    # What flows is the gradient of `examples` times the mean loss, as in the feed-forward experiment.
    examples = batch_size if spec.target_scale == "example" else 1
    parameters, seen = state["parameters"], {"h0": x_RBH}

    received_from_below, input_pullback, pullback, statistics = {1: x_RBH}, {}, {}, {}
    for i in range(1, spec.depth):
        x_i = received_from_below[i]
        seen[f"h{i}"], statistics[i], pullback[i] = vjp(
            layer, part(parameters, f"layer{i}"), x_i, spec, input_gradient=i > 1
        )
        received_from_below[i + 1] = seen[f"h{i}"]
        if spec.unlock == "complete":
            received_from_below[i + 1], _, input_pullback[i + 1] = vjp(
                input_model, part(parameters, f"input{i + 1}"), x_RBH, spec, input_gradient=False
            )
            seen[f"input{i + 1}"] = received_from_below[i + 1]
    loss_R, _, pullback[spec.depth] = vjp(
        loss, part(parameters, "classifier"), received_from_below[spec.depth], labels_RB
    )

    received = torch.full_like(loss_R, examples)
    for i in reversed(range(1, spec.depth + 1)):
        visited_R, name = inputs["visited"][:, i - 1], f"layer{i}" if i < spec.depth else "classifier"
        layer_gradients, delta_RBH = pullback[i](received)
        found = {f"{name}.{key}": value / examples for key, value in layer_gradients.items()}
        state = learn(spec, state, found, rate, visited_R)
        if i < spec.depth:
            state = follow(spec, state, i, *statistics[i], visited_R)
        if i < spec.depth and spec.unlock == "complete":
            error_RBH = seen[f"input{i + 1}"] - seen[f"h{i}"]
            model_gradients, _ = input_pullback[i + 1](error_RBH * (2 / batch_size))
            model_gradients = {f"input{i + 1}.{key}": value for key, value in model_gradients.items()}
            found |= model_gradients
            state = learn(spec, state, model_gradients, rate, visited_R)
        if i > 1:
            h_RBH, model = seen[f"h{i - 1}"], f"synthetic_gradient{i - 1}"
            before_RBH, _, model_pullback = vjp(
                synthetic_gradient, part(parameters, model), h_RBH, labels_RB, spec, input_gradient=False
            )
            model_gradients, _ = model_pullback((before_RBH - delta_RBH) * (2 / batch_size))
            model_gradients = {f"{model}.{key}": value for key, value in model_gradients.items()}
            found |= model_gradients
            state = learn(spec, state, model_gradients, rate, visited_R)
            received = before_RBH
            if spec.order == "random":
                after_RBH, _ = synthetic_gradient(part(state["parameters"], model), h_RBH, labels_RB, spec)
                late_R = inputs["after_successor"][:, i - 2]
                received = torch.where(late_R[:, None, None], after_RBH, before_RBH)
            seen[f"received{i - 1}"] = received
        seen |= {f"gradient of {key}": value for key, value in found.items()}
    return state, seen


def observe(spec: Spec, state: State, data: Arrays, inputs: Arrays) -> Arrays:
    """Activations, what layers receive, and gradients of one iteration, which the parity ladder compares."""
    copy = unflatten({path: value.clone() for path, value in flatten(state).items()})
    return iterate(spec, copy, data, inputs)[1]


def step(spec: Spec, state: State, data: Arrays, inputs: Arrays) -> State:
    """One training iteration of all replicas. Updates `state` in place.

    Args:
        data: `inputs` uint8 [n, ...] and `labels` [n] of the training set.
        inputs: `indices` [R, B] of this iteration's examples, its `learning_rate` [], and by layer, the classifier
            last, whether it is `visited` [R, layers], and then `after_successor` [R, layers], the layer above it.
    """
    return iterate(spec, state, data, inputs)[0]
