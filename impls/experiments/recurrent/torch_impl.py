"""Recurrent nets with synthetic gradients in PyTorch; line by line the twin of `jax_impl.py`.

Shape legend: R replicas, T time steps of a chunk, B batch (sequences, or rows of the text), I inputs, G gate
activations, H hidden units, S units of the core's state, O outputs, E rows of an evaluation.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from impls.engine import torch_ops as ops
from impls.engine.state import Tree
from impls.engine.torch_adam import adam, adam_init
from impls.engine.torch_ops import Arrays, vjp
from impls.experiments.recurrent.spec import SYMBOLS, UNROLLED, Spec
from impls.experiments.recurrent.torch_tasks import begin, promote, read_sequences, read_text, score

MODEL = "synthetic_gradient"  # the module M; all other modules are trained by the loss


def init(spec: Spec, parameters: Tree) -> Tree:
    """The state before the first chunk: the core's state is zero, and no sequence has begun."""
    like = parameters["core"]["recurrent"]["weight"]
    replicas, batch = len(like), spec.batch_size

    def zeros(*shape: int, dtype: torch.dtype = like.dtype) -> Tensor:
        return torch.zeros(shape, dtype=dtype, device=like.device)

    state = {"parameters": parameters, "boundary": zeros(replicas, batch, spec.state_units)}
    net, model = split_modules(parameters)
    state["adam"] = adam_init(net)
    if spec.has_synthetic_gradients:
        state["adam_of_model"] = adam_init(model)
    if spec.regression_gradient:  # for `extra_core`: inputs of the previous chunk's last time step
        state["before"] = {
            "boundary": zeros(replicas, batch, spec.state_units),
            "x": zeros(replicas, batch, spec.input_units),
            "keep": zeros(replicas, batch, 1) + 1,
        }
    if not spec.is_text:
        state["task"] = begin(spec, like)
    return state


def split_modules(tree: Tree) -> tuple[Tree, Tree]:
    """Parameters or gradients in two trees: of the net, and of M."""
    return {name: value for name, value in tree.items() if name != MODEL}, tree.get(MODEL, {})


def affine(parameters: Arrays, x_RXI: Tensor) -> Tensor:
    """x W + b with one W and b per replica, for any axes X between: [R, ..., I] -> [R, ..., O]."""
    weight_RIO, bias_RO = parameters["weight"], parameters["bias"]
    y_RXO = ops.matmul(x_RXI.reshape(len(x_RXI), -1, x_RXI.shape[-1]), weight_RIO, bias_RO[:, None])
    return y_RXO.reshape(*x_RXI.shape[:-1], -1)


def split(state_RBS: Tensor, spec: Spec) -> tuple[Tensor, ...]:
    """The core's state as its parts: (h, c) of the lstm, else (h,), each [R, B, H]."""
    return state_RBS.split(spec.resolved("hidden_units"), -1)


def core(parameters: Tree, projected_RBG: Tensor, s_RBH: tuple[Tensor, ...], spec: Spec) -> tuple[Tensor, ...]:
    """One time step: the new output h and, for the lstm, the new cell state c.

    Args:
        projected_RBG: the inputs' share of the gate activations, bias included.
        s_RBH: (h, c) for the lstm, else (h,).
    """
    gates_RBG = ops.matmul(s_RBH[0], parameters["recurrent"]["weight"], projected_RBG)
    if spec.model == "lstm":
        return ops.lstm_cell(gates_RBG, s_RBH[1], parameters.get("peephole"))
    h_RBH = torch.tanh(gates_RBG)
    return (h_RBH if spec.model == "rnn" else torch.lerp(s_RBH[0], h_RBH, spec.leak),)


def nats(logits_RXO: Tensor, target_RXO: Tensor, spec: Spec) -> Tensor:
    """The loss of each character in nats: [R, ...]. Targets are symbols [R, ...] of a text, or bits [R, ..., O]."""
    if spec.is_text:
        return -F.log_softmax(logits_RXO, -1).gather(-1, target_RXO[..., None])[..., 0]
    return (F.softplus(logits_RXO) - logits_RXO * target_RXO).sum(-1)


def synthetic_gradient(parameters: Tree, boundary_RBS: Tensor, spec: Spec) -> Tensor:
    """M: the predicted gradient of one sequence's later loss with respect to the state (output, cell): [R, B, S]."""
    hidden = spec.resolved("hidden_units")
    x_RBH = boundary_RBS if spec.synthetic_gradient_input == "state" else boundary_RBS[..., :hidden]
    for j in range(1, spec.synthetic_gradient_depth + 1):
        x_RBH = F.relu(affine(parameters[f"layer{j}"], x_RBH))
    return affine(parameters["output"], x_RBH)


def unroll(
    parameters: Tree, boundary_RBS: Tensor, chunk: Arrays, model: Tree, spec: Spec
) -> tuple[tuple[Tensor, Tensor], Arrays]:
    """One chunk, from the state at its start.

    Returns:
        (loss [R], in nats, summed over time and averaged over the batch; the state at the end [R, B, S]), and `nats`
        [R, T, B], the loss of each character, and `last` [R, B, S], the state before the last time step.
    """
    projected_RTBG = affine(parameters["core"]["input"], chunk["x"])  # of all time steps in one product

    def advance(states: tuple, projected_RBG: Tensor, keep_RB1: Tensor | None = None) -> tuple:
        s_RBH, _ = states
        new_RBH = core(parameters["core"], projected_RBG, s_RBH, spec)
        kept_RBH = new_RBH if keep_RB1 is None else tuple(value * keep_RB1 for value in new_RBH)
        return (kept_RBH, s_RBH), new_RBH[0]

    start_RBH = split(boundary_RBS, spec)
    xs = (projected_RTBG, chunk["keep"]) if "keep" in chunk else (projected_RTBG,)
    (s_RBH, before_RBH), outputs_RTBH = ops.scan(advance, (start_RBH, start_RBH), xs, axis=1, unrolled=UNROLLED)
    end_RBS = torch.cat(s_RBH, -1)
    nats_RTB = nats(affine(parameters["output"], outputs_RTBH), chunk["target"], spec)
    if "counted" in chunk:
        nats_RTB = nats_RTB * chunk["counted"]
    loss_R = nats_RTB.sum(1).mean(1)
    if spec.method == "dni_aux":
        predicted_RBS = affine(parameters["auxiliary"], outputs_RTBH[:, 0])
        target_RBS = synthetic_gradient(model, end_RBS.detach(), spec)
        loss_R = loss_R + spec.auxiliary_weight * (predicted_RBS - target_RBS).square().sum(-1).mean(1)
    seen = {"nats": nats_RTB.detach(), "last": torch.cat(before_RBH, -1).detach()}
    return (loss_R, end_RBS), seen


def extra_core(parameters: Tree, boundary_RBS: Tensor, x_RBI: Tensor, keep_RB1: Tensor, spec: Spec) -> Tensor:
    """Repeats the last time step of the previous chunk: the state at this chunk's start, [R, B, S]."""
    s_RBH = split(boundary_RBS, spec)
    s_RBH = core(parameters, affine(parameters["input"], x_RBI), s_RBH, spec)
    return torch.cat(s_RBH, -1) * keep_RB1


def compute_gradients(spec: Spec, state: Tree, chunk: Arrays) -> tuple[Tree, Arrays]:
    """The gradients of every parameter, and the states, synthetic gradients and losses of the chunk by name.

    The chunk's last state receives, as the gradient of all later time steps,
        bptt          zero;
        dni, dni_aux  the synthetic gradient M(end), times `synthetic_gradient_factor`.
    M learns delta, the gradient of the chunk's first state: it comes from the chunk's loss, and from the gradient that
    the last state received, which makes it a bootstrap (section 2, synthetic gradients for recurrent networks).
    """
    net, model = split_modules(state["parameters"])
    start_RBS, learns = state["boundary"], spec.has_synthetic_gradients
    (loss_R, end_RBS), pullback, seen = vjp(
        unroll, net, start_RBS, chunk, model, spec, input_gradient=learns, has_aux=True
    )
    seen |= {"start": start_RBS, "end": end_RBS}

    # Gradients of states are those of one sequence's loss: of the mean loss, times the batch size.
    examples_R = torch.full_like(loss_R, spec.batch_size)
    future_RBS = torch.zeros_like(end_RBS)
    if learns:
        synthetic_RBS = synthetic_gradient(model, end_RBS, spec)
        future_RBS = spec.synthetic_gradient_factor * synthetic_RBS
    gradients, delta_RBS = pullback((examples_R, future_RBS))
    gradients = ops.scaled(gradients, spec.batch_size)
    if not learns:
        return gradients, seen

    if not spec.factor_in_target:
        _, delta_RBS = pullback((examples_R, synthetic_RBS), input_only=True)
    at_start_RBS, model_pullback = vjp(
        synthetic_gradient, model, start_RBS, spec, input_gradient=spec.regression_gradient
    )
    error_RBS = at_start_RBS - delta_RBS
    if spec.regression_rows == "continued" and "keep" in chunk:
        error_RBS = error_RBS * (chunk["position"][:, 0, :, None] > 0)
    # The gradient of |M(start) - delta|^2, summed over units and averaged over the batch.
    model_gradients, start_gradient_RBS = model_pullback(error_RBS * (2 / spec.batch_size))
    if spec.regression_gradient:
        before = state["before"]
        _, core_pullback = vjp(
            extra_core, net["core"], before["boundary"], before["x"], before["keep"], spec, input_gradient=False
        )
        core_gradients, _ = core_pullback(start_gradient_RBS)
        gradients["core"] = ops.added(gradients["core"], core_gradients)
    seen |= {"synthetic": at_start_RBS, "delta": delta_RBS, "future": future_RBS}
    return gradients | {MODEL: model_gradients}, seen


def read(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> tuple[Arrays, Arrays]:
    """The chunk of one iteration, in the parameters' precision, and the state of the task after it."""
    dtype = state["boundary"].dtype
    if spec.is_text:
        return read_text(spec, data, inputs, dtype), {}
    return read_sequences(spec, state["task"], inputs, dtype)


def observe(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> Tree:
    """Data, states and gradients of one iteration by name, for the parity ladder."""
    chunk, _ = read(spec, state, data, inputs)
    gradients, seen = compute_gradients(spec, state, chunk)
    return chunk | seen | {"gradient": gradients}


def measure(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> Arrays:
    """The state of the curriculum, and the quality of M's prediction at the start of the next chunk: [R] each.

    `bits_per_<solved_unit>` over the window and that chunk, `task_length` in training. `explained_variance.<phase>` and
    `cosine_similarity.<phase>` of M, over the sequences in a phase: `read` until their input is read, `write` after it.
    Sequences that begin there have a new state, and are in no phase. For a text all rows count: `all`.
    """
    chunk, _ = read(spec, state, data, inputs)
    _, seen = compute_gradients(spec, state, chunk)
    found, phases = {}, {"all": torch.ones_like(seen["start"][..., 0])}
    if not spec.is_text:
        bits_R, units_R = score(state["task"], chunk, seen["nats"])
        bits_R = bits_R + state["task"]["window_bits"].sum(1)
        units_R = units_R + state["task"]["window_units"].sum(1)
        guess_R = spec.bits_of_a_guess(state["task"]["level"]).to(bits_R.dtype)  # if nothing has counted yet
        found[f"bits_per_{spec.solved_unit}"] = torch.where(units_R > 0, bits_R / units_R.clamp(min=1), guess_R)
        found["task_length"] = spec.task_length(state["task"]["level"]).to(bits_R.dtype)
        position_RB, length_RB = chunk["position"][:, 0], chunk["length"][:, 0]
        written_RB = position_RB - length_RB - spec.pause
        phases = {"read": (position_RB > 0) & (written_RB < 0), "write": written_RB >= 0}
    if spec.has_synthetic_gradients:
        for phase, chosen_RB in phases.items():
            quality = prediction_quality(seen["synthetic"], seen["delta"], chosen_RB)
            found |= {f"{name}.{phase}": value_R for name, value_R in quality.items()}
    return found


def prediction_quality(predicted_RBS: Tensor, delta_RBS: Tensor, chosen_RB: Tensor) -> Arrays:
    """The quality of M over the chosen rows, [R] each; 0 if there is no row.

    `explained_variance` is 1 - |M - delta|^2 / |delta|^2, relative to zero: the zero gradient of bptt explains nothing.
    """
    chosen_RB = chosen_RB.to(delta_RBS.dtype)
    tiny = torch.finfo(delta_RBS.dtype).tiny  # before M has learnt, its output is zero
    predicted_RB, delta_RB, error_RB = (
        value_RBS.square().sum(-1) * chosen_RB for value_RBS in (predicted_RBS, delta_RBS, delta_RBS - predicted_RBS)
    )
    product_RB = (predicted_RBS * delta_RBS).sum(-1) * chosen_RB
    cosine_RB = product_RB / ((predicted_RB * delta_RB).sqrt() + tiny)
    return {
        "explained_variance": (delta_RB.sum(1) - error_RB.sum(1)) / (delta_RB.sum(1) + tiny),
        "cosine_similarity": cosine_RB.sum(1) / chosen_RB.sum(1).clamp(min=1),
    }


def step(spec: Spec, state: Tree, data: Arrays, inputs: Arrays) -> Tree:
    """One training iteration of all replicas: one chunk, one update. Updates `state` in place.

    Args:
        data: for a text, `inputs` and `labels` [n], each symbol and the next one.
        inputs: `learning_rate` [], and the inputs of `read_text` or `read_sequences`.
    """
    chunk, task = read(spec, state, data, inputs)
    gradients, seen = compute_gradients(spec, state, chunk)
    net, model = split_modules(gradients)
    rate, decays, epsilon = inputs["learning_rate"], spec.adam_decays, spec.adam_epsilon
    adam(state["adam"], state["parameters"], net, rate, decays, epsilon)
    if spec.has_synthetic_gradients:
        rate = rate * (spec.resolved("synthetic_gradient_learning_rate") / spec.learning_rate)
        adam(state["adam_of_model"], state["parameters"][MODEL], model, rate, decays, epsilon)
    if spec.regression_gradient:
        keep = {"keep": chunk["keep"][:, -1]} if "keep" in chunk else {}
        assign(state["before"], {"boundary": seen["last"], "x": chunk["x"][:, -1]} | keep)
    assign(state, {"boundary": seen["end"]})
    if not spec.is_text:
        assign(state["task"], promote(spec, task, chunk, seen["nats"]))
    return state


def assign(arrays: Arrays, values: Arrays) -> None:
    """Copy new values in place, because a captured graph refers to the addresses."""
    for name, value in values.items():
        arrays[name].copy_(value)


def evaluate(spec: Spec, state: Tree, symbols_N: Tensor, labels_N: Tensor) -> Arrays:
    """Sum over the N characters of a text, [R]: `bits_per_character`.

    The text is cut into rows that are read side by side, each from its start to its end, with its state carried along.
    As a warm-up, a row reads some characters before its first counted one. Every character is counted once.
    """
    parameters, rows, warm_up = state["parameters"], spec.evaluation_rows, spec.evaluation_warm_up
    weight = parameters["output"]["weight"]
    replicas, dtype, last = len(weight), weight.dtype, len(labels_N) - 1
    row_length = -(-len(labels_N) // rows)
    starts_E = torch.arange(rows, device=labels_N.device) * row_length
    time_K = torch.arange(-warm_up, row_length, device=labels_N.device)

    def advance(carry: tuple, time: Tensor) -> tuple:
        s_REH, total_R = carry
        position_E = starts_E + time
        inside_E = (position_E >= 0) & (position_E <= last)
        at_E = position_E.clamp(0, last)
        x_EI = ops.one_hot(symbols_N[at_E], SYMBOLS, dtype)
        projected_REG = affine(parameters["core"]["input"], x_EI.expand(replicas, *x_EI.shape))
        s_REH = core(parameters["core"], projected_REG, s_REH, spec)
        s_REH = tuple(value * inside_E[:, None] for value in s_REH)
        labels_RE = labels_N[at_E].expand(replicas, rows)
        nats_RE = nats(affine(parameters["output"], s_REH[0]), labels_RE, spec)
        return (s_REH, total_R + (nats_RE * (inside_E & (time >= 0))).sum(1)), None

    blank_RES = torch.zeros((replicas, rows, spec.state_units), dtype=dtype, device=labels_N.device)
    (_, total_R), _ = ops.scan(advance, (split(blank_RES, spec), blank_RES[:, 0, 0]), (time_K,))
    return {"bits_per_character": total_R / math.log(2)}
