"""Sparse updates and complete unlock in JAX; line by line the twin of `torch_impl.py`.

The net, its layers and the models M are those of the feed-forward experiment. Shape legend: R replicas, B batch, H an
activation's units.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from impls.engine import jax_ops as ops
from impls.engine.jax_adam import adam_where, adam_where_init
from impls.engine.jax_ops import Arrays, vjp
from impls.engine.state import Tree
from impls.experiments.feedforward import jax_impl as feedforward
from impls.experiments.feedforward.jax_impl import (
    affine,
    batch,
    evaluate,
    layer,
    loss,
    model_gradients,
    synthetic_gradient,
)
from impls.experiments.unlock.spec import Spec

__all__ = ["evaluate", "init", "observe", "step"]


def init(spec: Spec, parameters: Tree) -> Tree:
    """The state before training. Adam counts updates by parameter and replica, because their times differ."""
    return feedforward.init(spec, parameters) | {"adam": adam_where_init(parameters)}


def input_model(parameters: Tree, x_RBH: Array, spec: Spec) -> Array:
    """I(x): the output of the layer below, predicted from the pixels alone, [R, B, H]."""
    h_RBH, _ = layer(parameters["layer1"], x_RBH, spec)
    return affine(parameters["output"], h_RBH)


def learn(spec: Spec, state: Tree, gradients: Tree, learning_rate: Array, visited_R: Array) -> Tree:
    """One update of Adam of the parameters in `gradients`.

    In a replica that is not among `visited_R` it does nothing, or, with `unvisited` zero_gradient, has a gradient of
    zero: the parameters then move on with Adam's mean of past gradients, which decays.
    """
    if spec.unvisited == "zero_gradient":
        gradients, visited_R = ops.masked(gradients, visited_R), jnp.ones_like(visited_R)
    adam_state, parameters = adam_where(
        visited_R,
        state["adam"],
        state["parameters"],
        gradients,
        learning_rate,
        spec.adam_decays,
        spec.adam_epsilon,
    )
    return state | {"adam": adam_state, "parameters": parameters}


def follow(spec: Spec, state: Tree, i: int, moments: Arrays, visited_R: Array) -> Tree:
    """Move layer i's running statistics towards the batch's.

    In a replica that is not among `visited_R` they stay, or, with `running_statistics` iterations, they move, too.
    """
    if spec.running_statistics == "iterations":
        visited_R = jnp.ones_like(visited_R)
    averages = dict(state["statistics"][f"layer{i}"])
    for name, value_RH in moments.items():
        weight_R = (1 - spec.batch_norm_momentum) * visited_R.astype(value_RH.dtype)
        averages[name] += weight_R[:, None] * (value_RH - averages[name])
    return state | {"statistics": state["statistics"] | {f"layer{i}": averages}}


def iterate(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> tuple[Tree, Tree]:
    """A forward pass, then the visits. Returns the state after them, and the computed arrays by name.

    A visit of layer i
    - updates layer i with the gradient that it receives: M_i(h_i), or the loss's own for the classifier;
    - sends the gradient of its input down, which M_{i-1} is updated towards;
    - sends h_i up, which in the complete unlock I_{i+1} is updated towards.
    All activations are those of the forward pass, so the order decides only whether M_i has already learnt from layer
    i + 1 when layer i uses it. So the visits can be computed from the highest layer down, for all replicas at once,
    with M_i evaluated both before and after it learns.

    Example, with two hidden layers and the classifier (layer 3), which are visited in the order 2, 3, 1:
    layer 2 uses M_2 before it has learnt, since layer 3 comes later; layer 1 uses M_1 after it has learnt from the
    gradient that layer 2 sent down. `after_successor` is then (True, False, False): layer 1 alone comes after its
    successor.
    """
    x_RBH, labels_RB = batch(spec, state, data, inputs)
    rate, parameters = inputs["learning_rate"], state["parameters"]
    seen: Tree = {"h0": x_RBH, "gradient": {}}

    input_of, input_pullback, pullback, moments = {1: x_RBH}, {}, {}, {}
    for i in range(1, spec.depth):
        seen[f"h{i}"], pullback[i], (mean_RH, variance_RH) = vjp(
            layer, parameters[f"layer{i}"], input_of[i], spec, input_gradient=i > 1, has_aux=True
        )
        moments[f"layer{i}"] = {"mean": mean_RH, "variance": variance_RH}
        input_of[i + 1] = seen[f"h{i}"]
        if spec.unlock == "complete":
            input_of[i + 1], input_pullback[i + 1] = vjp(
                input_model, parameters[f"input{i + 1}"], x_RBH, spec, input_gradient=False
            )
            seen[f"input{i + 1}"] = input_of[i + 1]
    if spec.statistics_inputs == "real":
        _, moments, _ = feedforward.forward(spec, parameters, x_RBH)
    loss_R, pullback[spec.depth] = vjp(loss, parameters["classifier"], input_of[spec.depth], labels_RB)

    received = jnp.full_like(loss_R, spec.gradient_scale)
    for i in reversed(range(1, spec.depth + 1)):
        visited_R, name = inputs["visited"][:, i - 1], f"layer{i}" if i < spec.depth else "classifier"
        layer_gradients, delta_RBH = pullback[i](received)
        gradients = {name: ops.scaled(layer_gradients, spec.gradient_scale)}
        state = learn(spec, state, gradients, rate, visited_R)
        if i < spec.depth:
            state = follow(spec, state, i, moments[name], visited_R)
        if i < spec.depth and spec.unlock == "complete":
            error_RBH = seen[f"input{i + 1}"] - seen[f"h{i}"]
            input_gradients, _ = input_pullback[i + 1](error_RBH * (2 / spec.batch_size))
            gradients[f"input{i + 1}"] = input_gradients
            state = learn(spec, state, {f"input{i + 1}": input_gradients}, rate, visited_R)
        if i > 1:
            h_RBH, model = seen[f"h{i - 1}"], f"synthetic_gradient{i - 1}"
            before_RBH, gradients[model] = model_gradients(spec, parameters[model], h_RBH, delta_RBH, labels_RB)
            state = learn(spec, state, {model: gradients[model]}, rate, visited_R)
            received = before_RBH
            if spec.order == "random":
                after_RBH = synthetic_gradient(state["parameters"][model], h_RBH, labels_RB, spec)
                late_R = inputs["after_successor"][:, i - 2]
                received = jnp.where(late_R[:, None, None], after_RBH, before_RBH)
            seen[f"received{i - 1}"] = received
        seen["gradient"] |= gradients
    return state, seen


def observe(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> Tree:
    """Activations, received gradients, and gradients of one iteration, for the parity ladder."""
    return iterate(spec, state, data, inputs)[1]


def step(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> Tree:
    """One training iteration of all replicas. Returns the new state.

    Args:
        data: `inputs` uint8 [n, ...] and `labels` [n] of the training set.
        inputs: `indices` [R, B] of this iteration's examples, its `learning_rate` [], and by layer, the classifier
            last, whether it is `visited` [R, layers], and then `after_successor` [R, layers], the layer above it.
    """
    return iterate(spec, state, data, inputs)[0]
