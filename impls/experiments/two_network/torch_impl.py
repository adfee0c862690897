"""Two networks that tick at two rates, in PyTorch; line by line the twin of `jax_impl.py`.

Shape legend: R replicas, P windows of a block, W those read at once, T time steps of a window, as many as B's ticks (so
P = T), B batch (streams), X any axes, I inputs, G gate activations, H hidden units, M units of a message, C counts,
E streams of an evaluation, N units of a batch norm.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from impls.engine import torch_ops as ops
from impls.engine.torch_ops import Arrays, vjp
from impls.experiments.two_network.spec import LAYERS, PIXELS, THREE, Spec

State = dict[str, dict]
Moments = tuple[Tensor, Tensor]  # mean and variance


def init(spec: Spec, parameters: Arrays) -> State:
    """The state before training: parameters with a leading replica axis, running statistics, Adam's moments."""
    like = parameters["a.report.bias"]
    statistics = {}
    for name, shape in spec.normalised.items():
        zeros = torch.zeros((len(like), 1, *shape), dtype=like.dtype, device=like.device)
        statistics |= {f"{name}.mean": zeros, f"{name}.variance": zeros + 1}
    state = {"parameters": parameters, "statistics": statistics}
    for module in ("a", "b", *(["synthetic_gradient"] if spec.has_synthetic_gradients else [])):
        state[f"adam_of_{module}"] = ops.adam_init(part(parameters, module))
    return state


def part(parameters: Arrays, module: str) -> Arrays:
    """The parameters of network a, of b, or of M, under their full names."""
    return {name: value for name, value in parameters.items() if name.split(".")[0] == module}


def linear(parameters: Arrays, name: str, x_RXI: Tensor) -> Tensor:
    """x W, and + b where there is one, with one W and b per replica: [R, ..., I] -> [R, ..., O]."""
    bias_RO = parameters.get(f"{name}.bias")
    offset_R1O = None if bias_RO is None else bias_RO[:, None]
    y_RXO = ops.matmul(x_RXI.reshape(len(x_RXI), -1, x_RXI.shape[-1]), parameters[f"{name}.weight"], offset_R1O)
    return y_RXO.reshape(*x_RXI.shape[:-1], -1)


def norm(
    parameters: Arrays, name: str, x_RXBN: Tensor, spec: Spec, running: Moments | None = None
) -> tuple[Tensor, Moments]:
    """Batch norm over the streams B, for each place along the axes X by itself.

    Args:
        running: what to normalise with, each of a shape that broadcasts to [R, ..., N]; not given: the batch's own.

    Returns:
        The result, and the moments that it was normalised with, [R, ..., N] each.
    """
    scale_RN = parameters[f"{name}.scale"]
    shift_RN = parameters.get(f"{name}.shift", torch.zeros_like(scale_RN))
    *places, batch, units = x_RXBN.shape
    scale_YN, shift_YN = (value.repeat_interleave(math.prod(places[1:]), 0) for value in (scale_RN, shift_RN))
    x_YBN = x_RXBN.reshape(-1, batch, units)  # Y counts replicas and places
    if running is None:
        y_YBN, moments_YN = ops.batch_norm(x_YBN, scale_YN, shift_YN, spec.batch_norm_epsilon)
    else:
        moments_YN = tuple(value.expand(*places, units).reshape(-1, units) for value in running)
        y_YBN = ops.normalise(x_YBN, *moments_YN, scale_YN, shift_YN, spec.batch_norm_epsilon)
    return y_YBN.reshape(x_RXBN.shape), tuple(value.reshape(*places, units) for value in moments_YN)


def moments_at(running: Arrays | None, name: str, t: int | None = None) -> Moments | None:
    """The running moments of a batch norm, at time step t where each has its own; None if the batch's are wanted."""
    if running is None:
        return None
    moments = running[f"{name}.mean"], running[f"{name}.variance"]
    return moments if t is None else tuple(value[:, :, t] for value in moments)


def core(parameters: Arrays, name: str, x_RWTBI: Tensor, spec: Spec, running: Arrays | None) -> tuple[Tensor, Arrays]:
    """An lstm with recurrent batch norm, from the zero state over T time steps: (last output [R, W, B, H], moments).

        gates = BN(x W_x) + BN(h W_h)       c' = sigmoid(f) c + sigmoid(i) tanh(g)       h' = sigmoid(o) tanh(BN(c'))

    Cooijmans et al. 2016, equations 6 to 8; every time step has statistics of its own. The bias of the gates is the
    shift of the first norm.
    """
    inputs, recurrent, cell = f"{name}.input", f"{name}.recurrent", f"{name}.cell"
    gates_RWTBG, input_moments = norm(
        parameters, inputs, linear(parameters, inputs, x_RWTBI), spec, moments_at(running, inputs)
    )
    h_RWBH = c_RWBH = torch.zeros_like(gates_RWTBG[:, :, 0, :, : spec.hidden_units])
    moments: dict[str, list[Moments]] = {recurrent: [], cell: []}
    for t, gates_RWBG in enumerate(gates_RWTBG.unbind(2)):
        if t > 0:  # h is still zero at 0
            projected_RWBG = linear(parameters, recurrent, h_RWBH)
            running_t = moments_at(running, recurrent, t - 1)
            normed_RWBG, recurrent_moments = norm(parameters, recurrent, projected_RWBG, spec, running_t)
            moments[recurrent].append(recurrent_moments)
            gates_RWBG = gates_RWBG + normed_RWBG
        i, f, o, g = gates_RWBG.chunk(4, -1)
        c_RWBH = torch.sigmoid(f) * c_RWBH + torch.sigmoid(i) * torch.tanh(g)
        normed_RWBH, cell_moments = norm(parameters, cell, c_RWBH, spec, moments_at(running, cell, t))
        moments[cell].append(cell_moments)
        h_RWBH = torch.sigmoid(o) * torch.tanh(normed_RWBH)
    found = named({inputs: input_moments})
    for norm_name, values in moments.items():
        found |= named({norm_name: tuple(torch.stack(value, 2) for value in zip(*values, strict=True))})
    return h_RWBH, found


def named(moments: dict[str, Moments]) -> Arrays:
    """Moments by name: `<norm>.mean` and `<norm>.variance`."""
    means = {f"{name}.mean": mean for name, (mean, _) in moments.items()}
    return means | {f"{name}.variance": variance for name, (_, variance) in moments.items()}


def network_a(
    parameters: Arrays, x_RWTBI: Tensor, spec: Spec, running: Arrays | None = None
) -> tuple[tuple[Tensor, Tensor], Arrays]:
    """W windows of digits: (report [R, W, B, C] as logits, message [R, W, B, M]), and the batch norms' moments."""
    moments = {}
    h_RWYH = x_RWTBI.flatten(2, 3)  # Y = T x B: the digits of a window share statistics
    for name in (f"a.layer{j}" for j in range(1, LAYERS + 1)):
        z_RWYH, moments[name] = norm(
            parameters, name, linear(parameters, name, h_RWYH), spec, moments_at(running, name)
        )
        h_RWYH = F.relu(z_RWYH)
    x_RWTBH = h_RWYH.unflatten(2, x_RWTBI.shape[2:4])
    h_RWBH, core_moments = core(parameters, "a.core", x_RWTBH, spec, running)
    message_RWBM, moments["a.message"] = norm(
        parameters, "a.message", linear(parameters, "a.message", h_RWBH), spec, moments_at(running, "a.message")
    )
    return (linear(parameters, "a.report", h_RWBH), message_RWBM), named(moments) | core_moments


def network_b(
    parameters: Arrays, message_RTBM: Tensor, spec: Spec, running: Arrays | None = None
) -> tuple[Tensor, Arrays]:
    """The messages of a block: (report [R, B, C] as logits, the batch norms' moments)."""
    arrived_RTBM = message_RTBM * float(spec.messages)
    h_RWBH, moments = core(parameters, "b.core", arrived_RTBM[:, None], spec, running)
    return linear(parameters, "b.report", h_RWBH[:, 0]), moments


def cross_entropy(logits_RXBC: Tensor, count_RXB: Tensor) -> Tensor:
    """Of a report, in nats, averaged over the streams: [R, ...]."""
    log_probability_RXBC = F.log_softmax(logits_RXBC, -1)
    return -log_probability_RXBC.gather(-1, count_RXB[..., None])[..., 0].mean(-1)


def loss_of_a(parameters: Arrays, x_RWTBI: Tensor, odd_RWB: Tensor, spec: Spec) -> tuple[tuple[Tensor, Tensor], Arrays]:
    """((loss [R], summed over the windows; messages), moments) of network A."""
    (logits_RWBC, message_RWBM), moments = network_a(parameters, x_RWTBI, spec)
    return (cross_entropy(logits_RWBC, odd_RWB).sum(1), message_RWBM), moments


def loss_of_b(parameters: Arrays, message_RTBM: Tensor, threes_RB: Tensor, spec: Spec) -> tuple[Tensor, Arrays]:
    """(loss [R], moments) of network B."""
    logits_RBC, moments = network_b(parameters, message_RTBM, spec)
    return cross_entropy(logits_RBC, threes_RB), moments


def synthetic_gradient(parameters: Arrays, message_RXM: Tensor, spec: Spec) -> tuple[Tensor, None]:
    """M: the predicted gradient of B's loss, of one stream, by the message: [R, ..., M]."""
    for j in range(1, spec.synthetic_gradient_depth + 1):
        message_RXM = F.relu(linear(parameters, f"synthetic_gradient.layer{j}", message_RXM))
    return linear(parameters, "synthetic_gradient.output", message_RXM), None


def counts(labels_RPTB: Tensor) -> tuple[Tensor, Tensor]:
    """What is to be reported: odd digits of each window [R, P, B], threes of the block [R, B]."""
    return (labels_RPTB % 2).sum(2), (labels_RPTB == THREE).sum((1, 2))


def pixels(images_X: Tensor, parameters: Arrays) -> Tensor:
    """uint8 images [..., 28, 28] to [0, 1], in the parameters' precision: [..., I]."""
    return images_X.reshape(*images_X.shape[:-2], PIXELS).to(parameters["a.report.bias"].dtype) / 255


def read_digits(spec: Spec, parameters: Arrays, x_RWTBI: Tensor, odd_RWB: Tensor) -> tuple[Tensor, Arrays, Callable]:
    """A reads W windows.

    Returns:
        Messages [R, W, B, M], moments, and A's pullback: from what the messages receive, the gradient of one stream's
        loss [R, W, B, M], to the gradients of A's parameters.
    """
    a = part(parameters, "a")
    (loss_R, message_RWBM), moments, pullback = vjp(loss_of_a, a, x_RWTBI, odd_RWB, spec, input_gradient=False)

    def gradients(received_RWBM: Tensor) -> Arrays:
        # What flows is the gradient of one stream's loss: of the mean loss, times the batch size.
        found, _ = pullback((torch.full_like(loss_R, spec.batch_size), received_RWBM))
        return {name: value / spec.batch_size for name, value in found.items()}

    return message_RWBM, moments, gradients


def read_messages(
    spec: Spec, parameters: Arrays, message_RTBM: Tensor, threes_RB: Tensor
) -> tuple[Arrays, Tensor | None, Arrays]:
    """B reads a block's messages: (gradients of B; delta, of one stream's loss by its messages; moments).

    no_bprop needs no delta, [R, T, B, M], and has None.
    """
    delta_wanted = spec.method != "no_bprop"
    loss_R, moments, pullback = vjp(
        loss_of_b, part(parameters, "b"), message_RTBM, threes_RB, spec, input_gradient=delta_wanted
    )
    found, delta_RTBM = pullback(torch.full_like(loss_R, spec.batch_size))
    return {name: value / spec.batch_size for name, value in found.items()}, delta_RTBM, moments


def consumed(spec: Spec, parameters: Arrays, message_RWBM: Tensor) -> Tensor:
    """What decoupled messages receive at once: the synthetic gradient, scaled, or zero."""
    if not spec.has_synthetic_gradients:
        return torch.zeros_like(message_RWBM)
    synthetic_RWBM, _ = synthetic_gradient(part(parameters, "synthetic_gradient"), message_RWBM, spec)
    return spec.synthetic_gradient_factor * synthetic_RWBM


def model_gradients(spec: Spec, parameters: Arrays, message_RTBM: Tensor, delta_RTBM: Tensor) -> tuple[Arrays, Tensor]:
    """M learns delta: (gradients of M, its prediction), of |M - delta|^2 summed over units, averaged over messages."""
    model = part(parameters, "synthetic_gradient")
    predicted_RTBM, _, pullback = vjp(synthetic_gradient, model, message_RTBM, spec, input_gradient=False)
    found, _ = pullback((predicted_RTBM - delta_RTBM) * (2 / (spec.period * spec.batch_size)))
    return found, predicted_RTBM


def step(spec: Spec, state: State, data: Arrays, inputs: Arrays) -> State:
    """One training iteration of all replicas: a block of T^2 digits a stream. Updates `state` in place.

    Args:
        data: `inputs` uint8 [n, 28, 28] and `labels` [n], the digits.
        inputs: `digits` [R, P, T, B] of the block, and `learning_rate` [].
    """
    rate = inputs["learning_rate"]
    odd_RPB, threes_RB = counts(data["labels"][inputs["digits"]])
    if spec.method == "bprop":  # A waits for B
        x_RPTBI = pixels(data["inputs"][inputs["digits"]], state["parameters"])
        message_RTBM, moments, gradients_of_a = read_digits(spec, state["parameters"], x_RPTBI, odd_RPB)
        state = follow(spec, state, moments)
    else:

        def window(state: State, digits_RTB: Tensor, odd_RB: Tensor) -> tuple[State, Tensor]:
            x_RWTBI = pixels(data["inputs"][digits_RTB[:, None]], state["parameters"])
            message_RWBM, moments, gradients_of_a = read_digits(spec, state["parameters"], x_RWTBI, odd_RB[:, None])
            state = follow(spec, state, moments)
            received_RWBM = consumed(spec, state["parameters"], message_RWBM)
            return update(spec, state, "a", gradients_of_a(received_RWBM), rate), message_RWBM[:, 0]

        each = inputs["digits"].movedim(1, 0), odd_RPB.movedim(1, 0)
        state, message_TRBM = ops.scan(window, state, each)
        message_RTBM = message_TRBM.movedim(0, 1)

    gradients_of_b, delta_RTBM, moments = read_messages(spec, state["parameters"], message_RTBM, threes_RB)
    state = follow(spec, state, moments)
    if spec.method == "bprop":
        state = update(spec, state, "a", gradients_of_a(delta_RTBM), rate)
    if spec.has_synthetic_gradients:
        gradients_of_model, _ = model_gradients(spec, state["parameters"], message_RTBM, delta_RTBM)
        state = update(spec, state, "synthetic_gradient", gradients_of_model, rate)
    return update(spec, state, "b", gradients_of_b, rate)


def update(spec: Spec, state: State, module: str, gradients: Arrays, rate: Tensor) -> State:
    """One step of Adam for one module."""
    ops.adam(state[f"adam_of_{module}"], state["parameters"], gradients, rate, spec.adam_decays, spec.adam_epsilon)
    return state


def follow(spec: Spec, state: State, moments: Arrays) -> State:
    """The running statistics move towards those of each window in turn."""
    for name, value_RWX in moments.items():
        for now_RX in value_RWX.split(1, 1):
            state["statistics"][name].lerp_(now_RX, 1 - spec.batch_norm_momentum)
    return state


def block_gradients(spec: Spec, state: State, data: Arrays, inputs: Arrays) -> tuple[Arrays, Arrays]:
    """Gradients of one block with the parameters that stand at its start; and messages and their gradients by name."""
    parameters = state["parameters"]
    odd_RPB, threes_RB = counts(data["labels"][inputs["digits"]])
    x_RPTBI = pixels(data["inputs"][inputs["digits"]], parameters)
    message_RPBM, _, gradients_of_a = read_digits(spec, parameters, x_RPTBI, odd_RPB)
    found, delta_RPBM, _ = read_messages(spec, parameters, message_RPBM, threes_RB)
    seen = {"message": message_RPBM} | ({} if delta_RPBM is None else {"delta": delta_RPBM})
    if spec.has_synthetic_gradients:
        gradients_of_model, seen["synthetic"] = model_gradients(spec, parameters, message_RPBM, delta_RPBM)
        found |= gradients_of_model
    received_RPBM = delta_RPBM if spec.method == "bprop" else consumed(spec, parameters, message_RPBM)
    return found | gradients_of_a(received_RPBM), seen


def observe(spec: Spec, state: State, data: Arrays, inputs: Arrays) -> Arrays:
    """Messages and gradients of one iteration by name, which the parity ladder compares."""
    found, seen = block_gradients(spec, state, data, inputs)
    return seen | {f"gradient of {name}": value for name, value in found.items()}


def measure(spec: Spec, state: State, data: Arrays, inputs: Arrays) -> Arrays:
    """How well M predicts the gradient of the messages of a block, [R] each.

    `explained_variance` is about zero, 1 - |M - delta|^2 / |delta|^2: what no_bprop has in M's place explains nothing.
    """
    _, seen = block_gradients(spec, state, data, inputs)
    predicted, delta = (seen[name].flatten(1, 2) for name in ("synthetic", "delta"))
    tiny = torch.finfo(delta.dtype).tiny  # before M has learnt anything its output is zero
    error_R = (predicted - delta).square().sum((1, 2))
    cosine = (predicted * delta).sum(-1) / (predicted.square().sum(-1) * delta.square().sum(-1) + tiny).sqrt()
    return {
        "explained_variance": 1 - error_R / (delta.square().sum((1, 2)) + tiny),
        "cosine_similarity": cosine.mean(1),
    }


def evaluate(spec: Spec, state: State, images_EX: Tensor, labels_EX: Tensor) -> Arrays:
    """Sums over E streams, [R] each: percent wrong of A's reports (the mean over a block's), and of B's."""
    parameters, running = state["parameters"], state["statistics"]
    replicas, shape = len(parameters["a.report.bias"]), (spec.period, spec.period)
    labels_PTE = labels_EX.unflatten(1, shape).movedim(0, 2)
    odd_RPE, threes_RE = counts(labels_PTE[None])  # the same streams for every replica
    x_PTEI = pixels(images_EX, parameters).unflatten(1, shape).movedim(0, 2)
    x_RPTEI = x_PTEI.expand(replicas, *x_PTEI.shape)
    (logits_RPEC, message_RPEM), _ = network_a(parameters, x_RPTEI, spec, running)
    logits_REC, _ = network_b(parameters, message_RPEM, spec, running)
    wrong_RPE, wrong_RE = logits_RPEC.argmax(-1) != odd_RPE, logits_REC.argmax(-1) != threes_RE
    return {
        "error_a": 100 * wrong_RPE.to(x_PTEI.dtype).mean(1).sum(1),
        "error_b": 100 * wrong_RE.to(x_PTEI.dtype).sum(1),
    }
