"""Feed-forward nets with synthetic gradients in JAX; line by line the twin of `torch_impl.py`.

Shape legend: R replicas, B batch, H an activation's units, C classes, E examples of an evaluation, N rows of a batch
norm. In a convolutional net H means [Y, X, H]: rows, columns, filters.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from impls.engine import jax_ops as ops
from impls.engine.jax_adam import adam, adam_init
from impls.engine.jax_ops import Arrays, vjp
from impls.engine.state import Tree
from impls.experiments.feedforward.spec import CLASSES, Spec

POOLINGS = {None: lambda h_RBH: h_RBH, "max": ops.max_pool, "average": ops.average_pool}


def init(spec: Spec, parameters: Tree) -> Tree:
    """The state before training.

    `parameters`, with a leading replica axis; `statistics`, the running mean and variance of every batch norm; the
    state of `adam`; for stale gradients also their averages over past iterations, [R, H] of each hidden layer.
    """
    statistics, stale = {}, {}
    for i in range(1, spec.depth):
        shift_RH = parameters[f"layer{i}"]["shift"]
        statistics[f"layer{i}"] = {"mean": jnp.zeros_like(shift_RH), "variance": jnp.ones_like(shift_RH)}
        shape = (len(shift_RH), *spec.activation_shape(i))
        stale[f"h{i}"] = jnp.zeros(shape, shift_RH.dtype)
    state = {"parameters": parameters, "statistics": statistics, "adam": adam_init(parameters)}
    return state | ({"stale": stale} if spec.method == "stale" else {})


def pixels(spec: Spec, images_RB: Array, dtype: jnp.dtype) -> Array:
    """uint8 images scaled to [0, 1], in the input shape of the net: [R, B, D] or [R, B, Y, X, C]."""
    return images_RB.reshape(*images_RB.shape[:2], *spec.input_shape).astype(dtype) / 255


def affine(parameters: Arrays, x_RBH: Array) -> Array:
    """A linear map or a convolution, depending on the shape of its weight, plus its bias, if any: [R, B, H]."""
    weight = parameters["weight"]
    z_RBH = ops.matmul(x_RBH, weight) if weight.ndim == 3 else ops.convolution(x_RBH, weight)
    if "bias" in parameters:
        z_RBH = z_RBH + parameters["bias"].reshape(len(weight), *[1] * (z_RBH.ndim - 2), -1)
    return z_RBH


def layer(
    parameters: Arrays,
    x_RBH: Array,
    spec: Spec,
    pooling: str | None = None,
    running: tuple[Array, Array] | None = None,
) -> tuple[Array, tuple[Array, Array]]:
    """Linear map or convolution, batch norm, ReLU, pooling: [R, B, H] -> [R, B, H'].

    Args:
        running: (mean, variance) for the batch norm, each [R, H]; not given: those of the batch.

    Returns:
        The activation, and the (mean, variance) that the batch norm used.
    """
    z_RBH = affine(parameters, x_RBH)
    z_RNH = z_RBH.reshape(len(z_RBH), -1, z_RBH.shape[-1])
    scale_RH, shift_RH = parameters["scale"], parameters["shift"]
    if running is None:
        y_RNH, running = ops.batch_norm(z_RNH, scale_RH, shift_RH, spec.batch_norm_epsilon)
    else:
        y_RNH = ops.normalise(z_RNH, *running, scale_RH, shift_RH, spec.batch_norm_epsilon)
    return POOLINGS[pooling](jax.nn.relu(y_RNH).reshape(z_RBH.shape)), running


def logits(parameters: Arrays, h_RBH: Array) -> Array:
    """The linear classifier: [R, B, H] -> [R, B, C]."""
    return affine(parameters, h_RBH.reshape(*h_RBH.shape[:2], -1))


def loss(parameters: Tree, h_RBH: Array, labels_RB: Array) -> Array:
    """Cross-entropy in nats, averaged over the batch: [R]."""
    log_probability_RBC = jax.nn.log_softmax(logits(parameters, h_RBH), -1)
    return -jnp.take_along_axis(log_probability_RBC, labels_RB[..., None], -1)[..., 0].mean(1)


def synthetic_gradient(parameters: Tree, h_RBH: Array, labels_RB: Array, spec: Spec) -> Array:
    """M(h), or M(h, label) for cdni: the predicted gradient of the loss with respect to h, [R, B, H]."""
    if spec.method == "cdni":
        place = h_RBH.shape[2:-1]  # (Y, X) in a convolutional net: the label is then ten constant channels
        labels_RBC = ops.one_hot(labels_RB, CLASSES, h_RBH.dtype)
        labels_RBC = labels_RBC.reshape(*labels_RB.shape, *[1] * len(place), CLASSES)
        h_RBH = jnp.concatenate([h_RBH, jnp.broadcast_to(labels_RBC, (*labels_RB.shape, *place, CLASSES))], -1)
    for j in range(1, spec.resolved("synthetic_gradient_depth") + 1):
        h_RBH, _ = layer(parameters[f"layer{j}"], h_RBH, spec)
    return affine(parameters["output"], h_RBH)


def forward(spec: Spec, parameters: Tree, x_RBH: Array) -> tuple[Arrays, Tree, dict[int, Callable]]:
    """Run the hidden layers, each with a separate pullback.

    Returns:
        Activations `h0` (the input) to `h<N-1>`; every layer's batch mean and variance; every layer's pullback, which
        maps the gradient of its activation to the gradients of its parameters and of its input.
    """
    h: Arrays = {"h0": x_RBH}
    moments: Tree = {}
    pullback = {}
    for i in range(1, spec.depth):
        h[f"h{i}"], pullback[i], (mean_RH, variance_RH) = vjp(
            layer,
            parameters[f"layer{i}"],
            h[f"h{i - 1}"],
            spec,
            spec.pooling(i),
            input_gradient=i > 1,
            has_aux=True,
        )
        moments[f"layer{i}"] = {"mean": mean_RH, "variance": variance_RH}
    return h, moments, pullback


def backpropagate(spec: Spec, pullback: dict[int, Callable], delta_RBH: Array) -> Arrays:
    """The true gradient of every hidden activation, by `h<i>`, from the gradient of the highest, across all cuts."""
    true = {f"h{spec.depth - 1}": delta_RBH}
    for i in reversed(range(2, spec.depth)):
        _, true[f"h{i - 1}"] = pullback[i](true[f"h{i}"])
    return true


def received_gradient(spec: Spec, state: Tree, i: int, delta_RBH: Array, synthetic_RBH: Array | None) -> Array | None:
    """The gradient of the activation h_i that layer i receives if the net is cut after it.

    no_bprop   nothing (None): neither this layer nor any below it is updated
    stale      the average over past iterations of dL/dh_i, averaged over each batch
    dni, cdni  the synthetic gradient M_i(h_i), which needs nothing from above, so layer i is not locked;
               BP(lambda) mixes it with the gradient from above: (1 - lambda) M_i(h_i) + lambda delta_i
    """
    if spec.method == "no_bprop":
        return None
    if spec.method == "stale":
        return jnp.broadcast_to(state["stale"][f"h{i}"][:, None], delta_RBH.shape)
    if synthetic_RBH is not None and spec.bp_lambda:
        return (1 - spec.bp_lambda) * synthetic_RBH + spec.bp_lambda * delta_RBH
    return synthetic_RBH


def model_gradients(spec: Spec, model: Tree, h_RBH: Array, delta_RBH: Array, labels_RB: Array) -> tuple[Array, Tree]:
    """M's prediction, and the gradients of |M(h) - delta|^2, averaged over the batch, for its weights (section 2)."""
    synthetic_RBH, pullback = vjp(synthetic_gradient, model, h_RBH, labels_RB, spec, input_gradient=False)
    gradients, _ = pullback((synthetic_RBH - delta_RBH) * (2 / spec.batch_size))
    return synthetic_RBH, gradients


def compute_gradients(spec: Spec, state: Tree, x_RBH: Array, labels_RB: Array) -> tuple[Tree, Tree, Arrays]:
    """One iteration's gradients of every parameter, the new values for the running averages, and the activations.

    Layer i receives the gradient from above, delta_i, or `received_gradient` if the net is cut after it. M_i learns
    delta_i, which layer i + 1 computes from the gradient that *it* received: a bootstrap (section 2).
    """
    parameters = state["parameters"]
    h, moments, pullback = forward(spec, parameters, x_RBH)
    targets = {"statistics": moments}

    loss_R, loss_pullback = vjp(loss, parameters["classifier"], h[f"h{spec.depth - 1}"], labels_RB)
    classifier_gradients, delta_RBH = loss_pullback(jnp.full_like(loss_R, spec.gradient_scale))
    gradients = {"classifier": ops.scaled(classifier_gradients, spec.gradient_scale)}
    if spec.method == "stale":
        true = backpropagate(spec, pullback, delta_RBH)
        targets["stale"] = {name: value_RBH.mean(1) for name, value_RBH in true.items()}

    for i in reversed(range(1, spec.depth)):
        received_RBH = delta_RBH
        if i in spec.cuts:
            synthetic_RBH, model = None, f"synthetic_gradient{i}"
            if spec.has_synthetic_gradients:
                synthetic_RBH, gradients[model] = model_gradients(
                    spec, parameters[model], h[f"h{i}"], delta_RBH, labels_RB
                )
            received_RBH = received_gradient(spec, state, i, delta_RBH, synthetic_RBH)
            if received_RBH is None:
                break
        layer_gradients, delta_RBH = pullback[i](received_RBH)
        gradients[f"layer{i}"] = ops.scaled(layer_gradients, spec.gradient_scale)
    return gradients, targets, h


def batch(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> tuple[Array, Array]:
    """The examples of one iteration: pixels [R, B, H], in the parameters' precision, and labels [R, B]."""
    dtype = state["parameters"]["classifier"]["weight"].dtype
    return pixels(spec, ops.rows(data["inputs"], inputs["indices"]), dtype), ops.rows(data["labels"], inputs["indices"])


def observe(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> Tree:
    """Activations and gradients of one iteration by name, for the parity ladder."""
    gradients, _, h = compute_gradients(spec, state, *batch(spec, state, data, inputs))
    return h | {"gradient": gradients}


def measure(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> Arrays:
    """Differences between synthetic and true gradients on one training batch: means over its examples, [R] each.

    For the cut after layer i: `h<i>.l2_error` and, for comparison, `h<i>.true_norm`, which is the error of a zero
    gradient, both for one example's loss; `h<i>.cosine_similarity`; `h<i>.sign_error`, the percentage of dimensions
    with the wrong sign.
    """
    x_RBH, labels_RB = batch(spec, state, data, inputs)
    h, _, pullback = forward(spec, state["parameters"], x_RBH)
    classifier = state["parameters"]["classifier"]
    loss_R, loss_pullback = vjp(loss, classifier, h[f"h{spec.depth - 1}"], labels_RB)
    _, delta_RBH = loss_pullback(jnp.full_like(loss_R, len(labels_RB[0])))
    true = backpropagate(spec, pullback, delta_RBH)
    found = {}
    for i in spec.cuts:
        model = state["parameters"][f"synthetic_gradient{i}"]
        synthetic_RBH = synthetic_gradient(model, h[f"h{i}"], labels_RB, spec)
        synthetic_RBH = synthetic_RBH * (spec.batch_size / spec.gradient_scale)  # for one example's loss
        a_RBH, b_RBH = (value.reshape(*labels_RB.shape, -1) for value in (synthetic_RBH, true[f"h{i}"]))
        norm_RB, true_norm_RB = jnp.sqrt((a_RBH**2).sum(-1)), jnp.sqrt((b_RBH**2).sum(-1))
        tiny = jnp.finfo(norm_RB.dtype).tiny  # before M has learnt, its output and the cosine are zero
        found[f"h{i}.l2_error"] = jnp.sqrt(((a_RBH - b_RBH) ** 2).sum(-1)).mean(1)
        found[f"h{i}.true_norm"] = true_norm_RB.mean(1)
        found[f"h{i}.cosine_similarity"] = ((a_RBH * b_RBH).sum(-1) / (norm_RB * true_norm_RB + tiny)).mean(1)
        found[f"h{i}.sign_error"] = 100 * (jnp.sign(a_RBH) != jnp.sign(b_RBH)).astype(norm_RB.dtype).mean((1, 2))
    return found


def averages(spec: Spec) -> dict[str, float]:
    """The parts of the state that are running averages, with their decays per iteration."""
    return {"statistics": spec.batch_norm_momentum} | ({"stale": spec.stale_decay} if spec.method == "stale" else {})


def step(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> Tree:
    """One training iteration of all replicas. Returns the new state.

    Args:
        data: `inputs` uint8 [n, ...] and `labels` [n] of the training set.
        inputs: `indices` [R, B] of this iteration's examples and its `learning_rate` [].
    """
    gradients, targets, _ = compute_gradients(spec, state, *batch(spec, state, data, inputs))
    state = dict(state)
    state["adam"], state["parameters"] = adam(
        state["adam"], state["parameters"], gradients, inputs["learning_rate"], spec.adam_decays, spec.adam_epsilon
    )
    for name, decay in averages(spec).items():
        state[name] = ops.average_towards(state[name], targets[name], decay)
    return state


def evaluate(spec: Spec, state: Tree, images_E: Array, labels_E: Array) -> Arrays:
    """Sums over E examples, [R] each: `error` in percent, `loss` in nats."""
    parameters, statistics = state["parameters"], state["statistics"]
    bias_RC = parameters["classifier"]["bias"]
    replicas, dtype = len(bias_RC), bias_RC.dtype
    x_EH = pixels(spec, images_E[None], dtype)[0]
    h_REH = jnp.broadcast_to(x_EH, (replicas, *x_EH.shape))
    for i in range(1, spec.depth):
        running = statistics[f"layer{i}"]["mean"], statistics[f"layer{i}"]["variance"]
        h_REH, _ = layer(parameters[f"layer{i}"], h_REH, spec, spec.pooling(i), running)
    log_probability_REC = jax.nn.log_softmax(logits(parameters["classifier"], h_REH), -1)
    error_R = 100 * (log_probability_REC.argmax(-1) != labels_E).astype(dtype).sum(1)
    loss_R = -jnp.take_along_axis(log_probability_REC, labels_E[None, :, None], -1).sum((1, 2))
    return {"error": error_R, "loss": loss_R}
