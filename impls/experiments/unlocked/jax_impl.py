"""Blocks of layers that wait for nothing, in JAX; line by line the twin of `torch_impl.py`.

The net, its layers and the models M are those of the feed-forward experiment. Shape legend: R replicas, B batch, H an
activation's units, D places of a delay line, N blocks.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from impls.engine import jax_ops as ops
from impls.engine.jax_adam import adam_where, adam_where_init
from impls.engine.jax_ops import Arrays, vjp
from impls.engine.state import Tree
from impls.experiments.feedforward import jax_impl as feedforward
from impls.experiments.feedforward.jax_impl import batch, evaluate, forward, loss, synthetic_gradient
from impls.experiments.unlocked.spec import Spec

# The engine calls these; `evaluate` is that of the feed-forward experiment.
__all__ = ["evaluate", "init", "observe", "step"]


def init(spec: Spec, parameters: Tree) -> Tree:
    """The state before training. Adam counts updates by parameter, because M and late blocks begin later.

    `late`, if anything is: by block the delay line of what is on its way. For M that is what it learns from, otherwise
    gradients.
    """
    state, lines = feedforward.init(spec, parameters) | {"adam": adam_where_init(parameters)}, {}
    replicas, dtype = len(parameters["classifier"]["bias"]), parameters["classifier"]["bias"].dtype
    for k, delay in enumerate(spec.delays):
        if delay and spec.method == "delayed":
            lines[f"block{k}"] = delay_line({name: parameters[name] for name in names(spec, k)}, delay)
        elif delay:
            labels_RB = jnp.zeros((replicas, spec.batch_size), jnp.int32)
            h_RBH = jnp.zeros((replicas, spec.batch_size, *spec.activation_shape(spec.cuts[k])), dtype)
            lesson = {"h": h_RBH, "labels": labels_RB, "delta": h_RBH, "synthetic": h_RBH}
            lines[f"block{k}"] = delay_line(lesson, delay)
    return state | ({"late": lines} if lines else {})


def names(spec: Spec, k: int) -> list[str]:
    """The names of block k's layers."""
    return [f"layer{i}" if i < spec.depth else "classifier" for i in spec.blocks[k]]


def delay_line(tree: Tree, delay: int) -> Tree:
    """Room for a tree like this one and the last `delay`, zeros at first: each array [R, ...] becomes [R, D, ...]."""
    return jax.tree.map(lambda value: jnp.zeros((len(value), 1 + delay, *value.shape[1:]), value.dtype), tree)


def exchange(line: Tree, slot: Array, tree: Tree) -> tuple[Tree, Tree]:
    """Put a tree in the place `slot` [] of a delay line; returns the oldest tree, in the next place, and the line.

    It is read after the other is written: JAX would otherwise copy the whole line.
    """
    line = jax.tree.map(lambda values, value: values.at[:, slot].set(value), line, tree)
    return jax.tree.map(lambda values: values[:, (slot + 1) % values.shape[1]], line), line


def late(spec: Spec, state: Tree, k: int, tree: Tree, slot_N: Array) -> tuple[Tree, Tree]:
    """What arrives at block k now if it gets `tree` after its delay; and the new state."""
    if not spec.delays[k]:
        return tree, state
    arriving, line = exchange(state["late"][f"block{k}"], slot_N[k], tree)
    return arriving, state | {"late": state["late"] | {f"block{k}": line}}


def model_gradients(spec: Spec, model: Tree, lesson: Tree) -> Tree:
    """The gradients of |M(h) - delta|^2, averaged over the batch, for M's weights (section 2)."""
    synthetic_RBH, pullback = vjp(synthetic_gradient, model, lesson["h"], lesson["labels"], spec, input_gradient=False)
    predicted_RBH = lesson["synthetic"] if spec.residual == "stored" else synthetic_RBH
    gradients, _ = pullback((predicted_RBH - lesson["delta"]) * (2 / spec.batch_size))
    return gradients


def compute_gradients(
    spec: Spec, state: Tree, x_RBH: Array, labels_RB: Array, slot_N: Array
) -> tuple[Tree, Tree, Tree]:
    """One batch in all blocks: the gradients of every parameter, what the blocks computed, and the new state.

    Gradients of M, and with `delayed` also those of the blocks, are those of an earlier batch, which arrive now.
    """
    parameters = state["parameters"]
    h, moments, pullback = forward(spec, parameters, x_RBH)
    loss_R, loss_pullback = vjp(loss, parameters["classifier"], h[f"h{spec.depth - 1}"], labels_RB)
    classifier_gradients, delta_RBH = loss_pullback(jnp.full_like(loss_R, spec.gradient_scale))
    gradients = {"classifier": ops.scaled(classifier_gradients, spec.gradient_scale)}
    for i in reversed(range(1, spec.depth)):
        received_RBH = delta_RBH
        if i in spec.cuts:
            k, model, h_RBH = spec.cuts.index(i), f"synthetic_gradient{i}", h[f"h{i}"]
            received_RBH = synthetic_gradient(parameters[model], h_RBH, labels_RB, spec)
            lesson = {"h": h_RBH, "labels": labels_RB, "delta": delta_RBH, "synthetic": received_RBH}
            lesson, state = late(spec, state, k, lesson, slot_N)
            gradients[model] = model_gradients(spec, parameters[model], lesson)
        layer_gradients, delta_RBH = pullback[i](received_RBH)
        gradients[f"layer{i}"] = ops.scaled(layer_gradients, spec.gradient_scale)
    if spec.method == "delayed":
        for k in range(spec.workers):
            own = {name: gradients[name] for name in names(spec, k)}
            own, state = late(spec, state, k, own, slot_N)
            gradients |= own
    return gradients, h | {"moments": moments}, state


def observe(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> Tree:
    """Activations, moments and gradients of one iteration by name, for the parity ladder."""
    gradients, seen, _ = compute_gradients(spec, state, *batch(spec, state, data, inputs), inputs["slot"])
    return seen | {"gradient": gradients}


def step(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> Tree:
    """One training iteration of all replicas: one batch. Returns the new state.

    Args:
        data: `inputs` uint8 [n, ...] and `labels` [n] of the training set.
        inputs: `indices` [R, B] of this iteration's examples, its `learning_rate` [], and by block the `slot` [N] of
            what is on its way, and whether it has `arrived` [N].
    """
    gradients, seen, state = compute_gradients(spec, state, *batch(spec, state, data, inputs), inputs["slot"])
    adam_state, parameters = state["adam"], state["parameters"]
    for k in range(spec.workers):
        arrived_R = jnp.broadcast_to(inputs["arrived"][k], inputs["indices"].shape[:1])
        own_R = arrived_R if spec.method == "delayed" else jnp.ones_like(arrived_R)
        modules = {name: own_R for name in names(spec, k)}
        if k < len(spec.cuts):
            modules[f"synthetic_gradient{spec.cuts[k]}"] = arrived_R
        for name, chosen_R in modules.items():
            adam_state, parameters = adam_where(
                chosen_R,
                adam_state,
                parameters,
                {name: gradients[name]},
                inputs["learning_rate"],
                spec.adam_decays,
                spec.adam_epsilon,
            )
    statistics = ops.average_towards(state["statistics"], seen["moments"], spec.batch_norm_momentum)
    return state | {"adam": adam_state, "parameters": parameters, "statistics": statistics}
