"""Two networks that tick at two rates, in JAX; line by line the twin of `torch_impl.py`.

Shape legend: R replicas, P windows of a block, W those read at once, T time steps of a window, as many as B's ticks (so
P = T), B batch (streams), D digits of a window, X any axes, I inputs, H hidden units, M units of a message, C counts, E
streams of an evaluation.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from impls.engine import jax_ops as ops
from impls.engine.jax_adam import adam, adam_init
from impls.engine.jax_ops import Arrays, vjp
from impls.engine.state import Tree, flatten, unflatten
from impls.experiments.two_network.jax_lstm import core, linear, moments_of, norm
from impls.experiments.two_network.spec import LAYERS, PIXELS, THREE, Spec


def init(spec: Spec, parameters: Tree) -> Tree:
    """The state before training: `parameters` with a leading replica axis, running `statistics`, and Adam's state.

    The parameters are those of network `a`, of `b`, and of M, `synthetic_gradient`; each has a separate Adam state.
    """
    like = parameters["a"]["report"]["bias"]
    statistics: dict[str, Array] = {}
    for name, shape in spec.normalised.items():
        zeros = jnp.zeros((len(like), 1, *shape), like.dtype)
        statistics |= {f"{name}.mean": zeros, f"{name}.variance": zeros + 1}
    adam_states = {f"adam_of_{module}": adam_init(own) for module, own in parameters.items()}
    return {"parameters": parameters, "statistics": unflatten(statistics)} | adam_states


def network_a(
    parameters: Tree, x_RWTBI: Array, spec: Spec, running: Tree | None = None
) -> tuple[tuple[Array, Array], Tree]:
    """W windows of digits: (report [R, W, B, C] as logits, message [R, W, B, M]), and the batch norms' moments."""
    moments: Tree = {}
    h_RWDH = x_RWTBI.reshape(*x_RWTBI.shape[:2], -1, PIXELS)  # the T x B digits of a window share statistics
    for name in (f"layer{j}" for j in range(1, LAYERS + 1)):
        own = parameters[name]
        z_RWDH, moments[name] = norm(own, linear(own, h_RWDH), spec, moments_of(running, name))
        h_RWDH = jax.nn.relu(z_RWDH)
    x_RWTBH = h_RWDH.reshape(*x_RWTBI.shape[:-1], -1)
    h_RWBH, moments["core"] = core(parameters["core"], x_RWTBH, spec, moments_of(running, "core"))
    own = parameters["message"]
    message_RWBM, moments["message"] = norm(own, linear(own, h_RWBH), spec, moments_of(running, "message"))
    return (linear(parameters["report"], h_RWBH), message_RWBM), moments


def network_b(parameters: Tree, message_RTBM: Array, spec: Spec, running: Tree | None = None) -> tuple[Array, Tree]:
    """The messages of a block: (report [R, B, C] as logits, the batch norms' moments)."""
    arrived_RTBM = message_RTBM * float(spec.messages)
    h_RWBH, moments = core(parameters["core"], arrived_RTBM[:, None], spec, moments_of(running, "core"))
    return linear(parameters["report"], h_RWBH[:, 0]), {"core": moments}


def cross_entropy(logits_RXBC: Array, count_RXB: Array) -> Array:
    """Cross-entropy of a report, in nats, averaged over the streams: [R, ...]."""
    log_probability_RXBC = jax.nn.log_softmax(logits_RXBC, -1)
    return -jnp.take_along_axis(log_probability_RXBC, count_RXB[..., None], -1)[..., 0].mean(-1)


def loss_of_a(parameters: Tree, x_RWTBI: Array, odd_RWB: Array, spec: Spec) -> tuple[tuple[Array, Array], Tree]:
    """((loss [R], summed over the windows; messages), moments) of network A."""
    (logits_RWBC, message_RWBM), moments = network_a(parameters, x_RWTBI, spec)
    return (cross_entropy(logits_RWBC, odd_RWB).sum(1), message_RWBM), moments


def loss_of_b(parameters: Tree, message_RTBM: Array, threes_RB: Array, spec: Spec) -> tuple[Array, Tree]:
    """(loss [R], moments) of network B."""
    logits_RBC, moments = network_b(parameters, message_RTBM, spec)
    return cross_entropy(logits_RBC, threes_RB), moments


def synthetic_gradient(parameters: Tree, message_RXM: Array, spec: Spec) -> Array:
    """M: the predicted gradient of B's loss of one stream with respect to the message: [R, ..., M]."""
    for j in range(1, spec.synthetic_gradient_depth + 1):
        message_RXM = jax.nn.relu(linear(parameters[f"layer{j}"], message_RXM))
    return linear(parameters["output"], message_RXM)


def counts(labels_RPTB: Array) -> tuple[Array, Array]:
    """The correct reports: odd digits of each window [R, P, B], threes of the block [R, B]."""
    return (labels_RPTB % 2).sum(2), (labels_RPTB == THREE).sum((1, 2))


def pixels(images_X: Array, parameters: Tree) -> Array:
    """uint8 images [..., 28, 28] to [0, 1], in the parameters' precision: [..., I]."""
    return images_X.reshape(*images_X.shape[:-2], PIXELS).astype(parameters["a"]["report"]["bias"].dtype) / 255


def read_digits(spec: Spec, parameters: Tree, x_RWTBI: Array, odd_RWB: Array) -> tuple[Array, Tree, Callable]:
    """A reads W windows.

    Returns:
        Messages [R, W, B, M], moments, and A's pullback, which maps the gradient of the messages, of one stream's loss
        [R, W, B, M], to the gradients of A's parameters.
    """
    (loss_R, message_RWBM), pullback, moments = vjp(
        loss_of_a, parameters["a"], x_RWTBI, odd_RWB, spec, input_gradient=False, has_aux=True
    )

    def gradients_of_a(received_RWBM: Array) -> Tree:
        # Gradients of messages are those of one stream's loss: of the mean loss, times the batch size.
        gradients, _ = pullback((jnp.full_like(loss_R, spec.batch_size), received_RWBM))
        return ops.scaled(gradients, spec.batch_size)

    return message_RWBM, moments, gradients_of_a


def read_messages(
    spec: Spec, parameters: Tree, message_RTBM: Array, threes_RB: Array
) -> tuple[Tree, Array | None, Tree]:
    """B reads a block's messages: (gradients of B; delta, of one stream's loss by its messages; moments).

    delta is [R, T, B, M]. no_bprop does not need it and gets None.
    """
    delta_wanted = spec.method != "no_bprop"
    loss_R, pullback, moments = vjp(
        loss_of_b, parameters["b"], message_RTBM, threes_RB, spec, input_gradient=delta_wanted, has_aux=True
    )
    gradients, delta_RTBM = pullback(jnp.full_like(loss_R, spec.batch_size))
    return ops.scaled(gradients, spec.batch_size), delta_RTBM, moments


def received_gradient(spec: Spec, parameters: Tree, message_RWBM: Array) -> Array:
    """The gradient that decoupled messages receive at once: the scaled synthetic gradient, or zero."""
    if not spec.has_synthetic_gradients:
        return jnp.zeros_like(message_RWBM)
    return spec.synthetic_gradient_factor * synthetic_gradient(parameters["synthetic_gradient"], message_RWBM, spec)


def model_gradients(spec: Spec, parameters: Tree, message_RTBM: Array, delta_RTBM: Array) -> tuple[Array, Tree]:
    """M's prediction, and the gradients of M of |M - delta|^2, summed over units, averaged over messages."""
    model = parameters["synthetic_gradient"]
    predicted_RTBM, pullback = vjp(synthetic_gradient, model, message_RTBM, spec, input_gradient=False)
    gradients, _ = pullback((predicted_RTBM - delta_RTBM) * (2 / (spec.period * spec.batch_size)))
    return predicted_RTBM, gradients


def step(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> Tree:
    """One training iteration of all replicas: a block of T^2 digits a stream. Returns the new state.

    Args:
        data: `inputs` uint8 [n, 28, 28] and `labels` [n], the digits.
        inputs: `digits` [R, P, T, B] of the block, and `learning_rate` [].
    """
    rate = inputs["learning_rate"]
    odd_RPB, threes_RB = counts(ops.rows(data["labels"], inputs["digits"]))
    if spec.method == "bprop":  # A waits for B
        x_RPTBI = pixels(ops.rows(data["inputs"], inputs["digits"]), state["parameters"])
        message_RTBM, moments, gradients_of_a = read_digits(spec, state["parameters"], x_RPTBI, odd_RPB)
        state = follow(spec, state, "a", moments)
    else:

        def window(state: Tree, digits_RTB: Array, odd_RB: Array) -> tuple[Tree, Array]:
            x_RWTBI = pixels(ops.rows(data["inputs"], digits_RTB[:, None]), state["parameters"])
            message_RWBM, moments, gradients_of_a = read_digits(spec, state["parameters"], x_RWTBI, odd_RB[:, None])
            state = follow(spec, state, "a", moments)
            received_RWBM = received_gradient(spec, state["parameters"], message_RWBM)
            return update(spec, state, "a", gradients_of_a(received_RWBM), rate), message_RWBM[:, 0]

        state, message_RTBM = ops.scan(window, state, (inputs["digits"], odd_RPB), axis=1)

    gradients_of_b, delta_RTBM, moments = read_messages(spec, state["parameters"], message_RTBM, threes_RB)
    state = follow(spec, state, "b", moments)
    if spec.method == "bprop":
        state = update(spec, state, "a", gradients_of_a(delta_RTBM), rate)
    if delta_RTBM is not None and spec.has_synthetic_gradients:
        _, gradients_of_model = model_gradients(spec, state["parameters"], message_RTBM, delta_RTBM)
        state = update(spec, state, "synthetic_gradient", gradients_of_model, rate)
    return update(spec, state, "b", gradients_of_b, rate)


def update(spec: Spec, state: Tree, module: str, gradients: Tree, rate: Array) -> Tree:
    """One step of Adam for network a, network b or M."""
    own, key = state["parameters"][module], f"adam_of_{module}"
    adam_state, own = adam(state[key], own, gradients, rate, spec.adam_decays, spec.adam_epsilon)
    return state | {key: adam_state, "parameters": state["parameters"] | {module: own}}


def follow(spec: Spec, state: Tree, network: str, moments: Tree) -> Tree:
    """A network's running statistics move towards those of each window in turn."""
    leaves, averages = flatten(moments), state["statistics"][network]
    for w in range(next(iter(leaves.values())).shape[1]):
        window = unflatten({name: value_RWX[:, w : w + 1] for name, value_RWX in leaves.items()})
        averages = ops.average_towards(averages, window, spec.batch_norm_momentum)
    return state | {"statistics": state["statistics"] | {network: averages}}


def block_gradients(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> tuple[Tree, Arrays]:
    """Gradients of one block with the parameters at its start, and messages and their gradients by name."""
    parameters = state["parameters"]
    odd_RPB, threes_RB = counts(ops.rows(data["labels"], inputs["digits"]))
    x_RPTBI = pixels(ops.rows(data["inputs"], inputs["digits"]), parameters)
    message_RPBM, _, gradients_of_a = read_digits(spec, parameters, x_RPTBI, odd_RPB)
    gradients, seen = {}, {"message": message_RPBM}
    gradients["b"], delta_RPBM, _ = read_messages(spec, parameters, message_RPBM, threes_RB)
    if delta_RPBM is not None:
        seen["delta"] = delta_RPBM
    if delta_RPBM is not None and spec.has_synthetic_gradients:
        model = "synthetic_gradient"
        seen["synthetic"], gradients[model] = model_gradients(spec, parameters, message_RPBM, delta_RPBM)
    received_RPBM = delta_RPBM if spec.method == "bprop" else received_gradient(spec, parameters, message_RPBM)
    gradients["a"] = gradients_of_a(received_RPBM)
    return gradients, seen


def observe(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> Tree:
    """Messages and gradients of one iteration by name, for the parity ladder."""
    gradients, seen = block_gradients(spec, state, data, inputs)
    return seen | {"gradient": gradients}


def measure(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> Arrays:
    """The quality of M's prediction of the gradient of a block's messages, [R] each.

    `explained_variance` is 1 - |M - delta|^2 / |delta|^2, relative to zero: the zero gradient of no_bprop explains
    nothing.
    """
    _, seen = block_gradients(spec, state, data, inputs)
    shape = (len(seen["delta"]), -1, spec.message_units)
    predicted, delta = (seen[name].reshape(shape) for name in ("synthetic", "delta"))
    tiny = jnp.finfo(delta.dtype).tiny  # before M has learnt, its output is zero
    error_R = ((predicted - delta) ** 2).sum((1, 2))
    cosine = (predicted * delta).sum(-1) / jnp.sqrt((predicted**2).sum(-1) * (delta**2).sum(-1) + tiny)
    return {
        "explained_variance": 1 - error_R / ((delta**2).sum((1, 2)) + tiny),
        "cosine_similarity": cosine.mean(1),
    }


def evaluate(spec: Spec, state: Tree, images_EX: Array, labels_EX: Array) -> Arrays:
    """Sums over E streams, [R] each: percent wrong of A's reports (the mean over a block's), and of B's."""
    parameters, running = state["parameters"], state["statistics"]
    replicas, shape = len(parameters["a"]["report"]["bias"]), (spec.period, spec.period)
    labels_PTE = jnp.moveaxis(labels_EX.reshape(-1, *shape), 0, 2)
    odd_RPE, threes_RE = counts(labels_PTE[None])  # the same streams for every replica
    x_PTEI = jnp.moveaxis(pixels(images_EX, parameters).reshape(-1, *shape, PIXELS), 0, 2)
    x_RPTEI = jnp.broadcast_to(x_PTEI, (replicas, *x_PTEI.shape))
    (logits_RPEC, message_RPEM), _ = network_a(parameters["a"], x_RPTEI, spec, running["a"])
    logits_REC, _ = network_b(parameters["b"], message_RPEM, spec, running["b"])
    wrong_RPE, wrong_RE = logits_RPEC.argmax(-1) != odd_RPE, logits_REC.argmax(-1) != threes_RE
    return {
        "error_a": 100 * wrong_RPE.astype(x_PTEI.dtype).mean(1).sum(1),
        "error_b": 100 * wrong_RE.astype(x_PTEI.dtype).sum(1),
    }
