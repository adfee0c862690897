"""Blocks of layers that wait for nothing, in PyTorch; line by line the twin of `jax_impl.py`.

The net, its layers and the models M are those of the feed-forward experiment. Shape legend: R replicas, B batch, H an
activation's units, D places of a delay line, N blocks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from impls.engine import torch_ops as ops
from impls.engine.state import Tree, flatten, unflatten
from impls.engine.torch_adam import adam_where, adam_where_init
from impls.engine.torch_ops import Arrays, vjp
from impls.experiments.feedforward import torch_impl as feedforward
from impls.experiments.feedforward.torch_impl import batch, evaluate, forward, loss, synthetic_gradient
from impls.experiments.unlocked.spec import Spec

# The engine calls these; `evaluate` is that of the feed-forward experiment.
__all__ = ["evaluate", "init", "observe", "step"]


def init(spec: Spec, parameters: Tree) -> Tree:
    """The state before training. Adam counts updates by parameter, because M and late blocks begin later.

    `late`, if anything is: by block the delay line of what is on its way. For M that is what it learns from, otherwise
    gradients.
    """
    state, lines = feedforward.init(spec, parameters) | {"adam": adam_where_init(parameters)}, {}
    like = parameters["classifier"]["bias"]
    replicas = len(like)
    for k, delay in enumerate(spec.delays):
        if delay and spec.method == "delayed":
            lines[f"block{k}"] = delay_line({name: parameters[name] for name in names(spec, k)}, delay)
        elif delay:
            labels_RB = torch.zeros((replicas, spec.batch_size), dtype=torch.int64, device=like.device)
            h_RBH = like.new_zeros((replicas, spec.batch_size, *spec.activation_shape(spec.cuts[k])))
            lesson = {"h": h_RBH, "labels": labels_RB, "delta": h_RBH, "synthetic": h_RBH}
            lines[f"block{k}"] = delay_line(lesson, delay)
    return state | ({"late": lines} if lines else {})


def names(spec: Spec, k: int) -> list[str]:
    """The names of block k's layers."""
    return [f"layer{i}" if i < spec.depth else "classifier" for i in spec.blocks[k]]


def delay_line(tree: Tree, delay: int) -> Tree:
    """Room for a tree like this one and the last `delay`, zeros at first: each array [R, ...] becomes [R, D, ...]."""
    return unflatten(
        {name: value.new_zeros((len(value), 1 + delay, *value.shape[1:])) for name, value in flatten(tree).items()}
    )


def exchange(line: Tree, slot: Tensor, tree: Tree) -> tuple[Tree, Tree]:
    """Put a tree in the place `slot` [] of a delay line; returns the oldest tree, in the next place, and the line.

    It is read after the other is written: JAX would otherwise copy the whole line.
    """
    place, oldest, given = slot.long()[None], {}, flatten(tree)
    for name, values in flatten(line).items():
        values.index_copy_(1, place, given[name][:, None])
        oldest[name] = values.index_select(1, (place + 1) % values.shape[1])[:, 0]
    return unflatten(oldest), line


def late(spec: Spec, state: Tree, k: int, tree: Tree, slot_N: Tensor) -> tuple[Tree, Tree]:
    """What arrives at block k now if it gets `tree` after its delay; and the state, which is updated in place."""
    if not spec.delays[k]:
        return tree, state
    arriving, _ = exchange(state["late"][f"block{k}"], slot_N[k], tree)
    return arriving, state


def model_gradients(spec: Spec, model: Tree, lesson: Tree) -> Tree:
    """The gradients of |M(h) - delta|^2, averaged over the batch, for M's weights (section 2)."""
    synthetic_RBH, pullback = vjp(synthetic_gradient, model, lesson["h"], lesson["labels"], spec, input_gradient=False)
    predicted_RBH = lesson["synthetic"] if spec.residual == "stored" else synthetic_RBH
    gradients, _ = pullback((predicted_RBH - lesson["delta"]) * (2 / spec.batch_size))
    return gradients


def compute_gradients(
    spec: Spec, state: Tree, x_RBH: Tensor, labels_RB: Tensor, slot_N: Tensor
) -> tuple[Tree, Tree, Tree]:
    """One batch in all blocks: the gradients of every parameter, what the blocks computed, and the state.

    Gradients of M, and with `delayed` also those of the blocks, are those of an earlier batch, which arrive now.
    """
    parameters = state["parameters"]
    h, moments, pullback = forward(spec, parameters, x_RBH)
    loss_R, loss_pullback = vjp(loss, parameters["classifier"], h[f"h{spec.depth - 1}"], labels_RB)
    classifier_gradients, delta_RBH = loss_pullback(torch.full_like(loss_R, spec.gradient_scale))
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
    copy = unflatten({path: value.clone() for path, value in flatten(state).items()})
    gradients, seen, _ = compute_gradients(spec, copy, *batch(spec, copy, data, inputs), inputs["slot"])
    return seen | {"gradient": gradients}


def step(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> Tree:
    """One training iteration of all replicas: one batch. Updates `state` in place.

    Args:
        data: `inputs` uint8 [n, ...] and `labels` [n] of the training set.
        inputs: `indices` [R, B] of this iteration's examples, its `learning_rate` [], and by block the `slot` [N] of
            what is on its way, and whether it has `arrived` [N].
    """
    gradients, seen, state = compute_gradients(spec, state, *batch(spec, state, data, inputs), inputs["slot"])
    for k in range(spec.workers):
        arrived_R = inputs["arrived"][k].expand(inputs["indices"].shape[:1])
        own_R = arrived_R if spec.method == "delayed" else torch.ones_like(arrived_R)
        modules = {name: own_R for name in names(spec, k)}
        if k < len(spec.cuts):
            modules[f"synthetic_gradient{spec.cuts[k]}"] = arrived_R
        for name, chosen_R in modules.items():
            adam_where(
                chosen_R,
                state["adam"],
                state["parameters"],
                {name: gradients[name]},
                inputs["learning_rate"],
                spec.adam_decays,
                spec.adam_epsilon,
            )
    ops.average_towards(state["statistics"], seen["moments"], spec.batch_norm_momentum)
    return state
