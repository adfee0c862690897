"""Recurrent nets against references: full backpropagation through time, a textbook loop by autograd, nn.LSTM."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from impls.engine.state import Leaves, flatten
from impls.experiments.recurrent.spec import SYMBOLS, UNROLLED, Spec
from tests.support.harness import EXAMPLES, SEEDS, inputs_of, jax_slow_axis, observe, runner
from tests.support.plain_recurrent import PlainRecurrent, plain_chunk

EXACT = 1e-10

# A single long sequence, the only one of its level. If T is its length, truncated backpropagation is the full one.
WHOLE = {"phase": "shared", "solved_bits": 1e-9, "levels": 1}
LENGTH = 4  # length of the first level's sequence: a character and a stop, to be read and to be repeated


def off_zero(run) -> Leaves:
    """The run's state with all parameters moved to random values, the zero maps of M and the peepholes among them."""
    rng = np.random.default_rng(1)
    return {
        name: value + 0.3 * rng.standard_normal(value.shape) if name.startswith("parameters.") else value
        for name, value in run.leaves().items()
    }


def started(spec: Spec, framework: str):
    """A run from random parameters."""
    run = runner("recurrent", spec, framework)
    run.load(off_zero(run))
    return run


def parameters_of(leaves: Leaves) -> Leaves:
    return {n.removeprefix("parameters."): v for n, v in leaves.items() if n.startswith("parameters.")}


def gradients_of(observed: Leaves) -> Leaves:
    return {n.removeprefix("gradient."): v for n, v in observed.items() if n.startswith("gradient.")}


def assert_near(found: np.ndarray, expected: np.ndarray, name: str) -> None:
    np.testing.assert_allclose(found, expected, rtol=EXACT, atol=EXACT * max(1.0, np.abs(expected).max()), err_msg=name)


@jax_slow_axis
@pytest.mark.parametrize("model", ["lstm", "rnn", "leaky_rnn"])
def test_bptt_over_a_whole_sequence_is_full_backpropagation(framework, model):
    """The truncation length is the sequence's. Compared with finite differences of the loss of the whole sequence."""
    spec = Spec.tiny(method="bptt", model=model, truncation_length=LENGTH, **WHOLE)
    run = started(spec, framework)
    observed = observe(run, inputs_of(run, SEEDS, 0, 1))
    parameters, found = parameters_of(run.leaves()), gradients_of(observed)
    assert observed["counted"].sum(1).min() == 2, "a character and a stop symbol are asked for, or nothing was compared"

    def loss(shifted: Leaves) -> float:
        net = PlainRecurrent(spec, shifted, replica=1)
        state = torch.zeros(spec.batch_size, spec.state_units, dtype=torch.float64)
        return net.run(plain_chunk(observed, 1), state)[0].item() / spec.batch_size

    rng = np.random.default_rng(2)
    for name, value in parameters.items():
        for _ in range(3):
            at = (1, *(rng.integers(size) for size in value.shape[1:]))
            difference = 0.0
            for sign in (1, -1):
                shifted = value.copy()
                shifted[at] += sign * 1e-5
                difference += sign * loss(parameters | {name: shifted}) / 2e-5
            np.testing.assert_allclose(found[name][at], difference, rtol=1e-5, atol=1e-8, err_msg=name)


@jax_slow_axis
def test_with_the_true_future_gradient_for_m_dni_is_full_backpropagation(framework, monkeypatch):
    """In chunks of one step (T = 1), every boundary receives the gradient of all that is still to come, so that the
    chunks' gradients add up to the whole one.
    """
    spec = Spec.tiny(method="dni", truncation_length=1, synthetic_gradient_factor=1.0, **WHOLE)
    run = started(spec, framework)
    chunks, boundaries = [], []
    for k in range(LENGTH):  # what is read, and the states, with parameters that stay as they are
        before = run.leaves()
        observed = observe(run, inputs_of(run, SEEDS, k, k + 1), compiled=False)
        chunks.append([plain_chunk(observed, replica) for replica in range(len(SEEDS))])
        boundaries.append((before, inputs_of(run, SEEDS, k, k + 1)))
        run.advance(inputs_of(run, SEEDS, k, k + 1))
        run.load({n: before[n] if n.startswith(("parameters", "adam")) else v for n, v in run.leaves().items()})

    parameters = parameters_of(boundaries[0][0])
    full, true = [], []
    for replica in range(len(SEEDS)):
        net = PlainRecurrent(spec, parameters, replica)
        state = torch.zeros(spec.batch_size, spec.state_units, dtype=torch.float64, requires_grad=True)
        loss, states = 0.0, [state]
        for chunk in chunks:
            cost, _, (_, state) = net.run(chunk[replica], state)
            loss, states = loss + cost, [*states, state]
        # The state after the last chunk belongs to a new sequence, so this one's loss does not depend on it.
        true.append(
            [*(g.numpy() for g in torch.autograd.grad(loss, states[:-1], retain_graph=True)), 0 * state.detach()]
        )
        wanted = [name for name in net.p if not name.startswith("synthetic")]
        full.append(dict(zip(wanted, torch.autograd.grad(loss, [net.p[n] for n in wanted]), strict=True)))
    true_at = [np.stack([gradients[k] for gradients in true]) for k in range(LENGTH + 1)]

    total: dict[str, np.ndarray] = {}
    for k, (before, inputs) in enumerate(boundaries):
        run.load(before)
        true_RBS = run._array(true_at[k + 1])

        def oracle(model, *_, true_RBS=true_RBS):
            return true_RBS + 0 * sum(value.sum() for value in flatten(model).values())

        monkeypatch.setattr(run.implementation, "synthetic_gradient", oracle)
        observed = observe(run, inputs, compiled=False)
        monkeypatch.undo()
        assert_near(observed["delta"], true_at[k], f"delta of the boundary before chunk {k}")
        for name, value in gradients_of(observed).items():
            total[name] = total.get(name, 0) + value
    for replica in range(len(SEEDS)):
        for name, expected in full[replica].items():
            assert_near(total[name][replica], expected.numpy() / spec.batch_size, name)


TEXTBOOK = [
    {"method": "bptt"},
    {"method": "dni"},
    {"method": "dni_aux", "factor_in_target": False, "auxiliary_weight": 0.7},
    {"method": "dni", "dataset": "repeat_copy", "regression_gradient": True, "peepholes": True},
    {"method": "dni_aux", "model": "rnn", "synthetic_gradient_depth": 2, "synthetic_gradient_learning_rate": 1e-3},
    {"method": "dni", "model": "leaky_rnn", "carry_state": True, "phase": "shared"},
    {"method": "dni", "dataset": "repeat_copy", "regression_rows": "continued", "level_draw": "uniform"},
    {"method": "dni_aux", "dataset": "ptb", "synthetic_gradient_input": "state", "regression_gradient": True},
]


@jax_slow_axis
@pytest.mark.parametrize("fields", TEXTBOOK, ids=lambda fields: "-".join(map(str, fields.values())))
def test_six_chunks_equal_a_textbook_loop(framework, fields):
    """States, synthetic gradients, targets, gradients and parameters, by plain autograd and PyTorch's own Adam."""
    spec = Spec.tiny(**fields)
    run = started(spec, framework)
    loops = [TextbookLoop(spec, parameters_of(run.leaves()), replica) for replica in range(len(SEEDS))]
    for k in range(6):
        inputs = inputs_of(run, SEEDS, k, k + 1)
        observed = observe(run, inputs)
        run.advance(inputs)
        after = run.leaves()
        for replica, loop in enumerate(loops):
            expected = loop.iterate(plain_chunk(observed, replica))
            for name, value in expected.items():
                assert_near(observed[name][replica], value.detach().numpy(), f"{name}, chunk {k}")
            assert_near(after["boundary"][replica], loop.state.numpy(), f"state after chunk {k}")
            for name, value in loop.net.p.items():
                found = after[f"parameters.{name}"][replica]
                np.testing.assert_allclose(found, value.detach().numpy(), atol=1e-8, err_msg=f"{name}, chunk {k}")


class TextbookLoop:
    """One replica, trained literally as the paper says."""

    def __init__(self, spec: Spec, parameters: Leaves, replica: int) -> None:
        self.spec, self.net = spec, PlainRecurrent(spec, parameters, replica)
        self.state = torch.zeros(spec.batch_size, spec.state_units, dtype=torch.float64)
        self.before = (self.state, torch.zeros(spec.batch_size, spec.input_units).double(), torch.tensor(1.0).double())
        own = {name: name.startswith("synthetic") for name in self.net.p}
        self.adams = [
            torch.optim.Adam(
                [self.net.p[n] for n in own if own[n] == is_model], rate, spec.adam_decays, spec.adam_epsilon
            )
            for is_model, rate in (
                (False, spec.learning_rate),
                (True, spec.resolved("synthetic_gradient_learning_rate")),
            )
            if is_model in own.values()
        ]

    def iterate(self, chunk: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """One chunk; returns what the twins' `observe` should return."""
        spec, net, batch = self.spec, self.net, self.spec.batch_size
        start = self.state.clone().requires_grad_()
        loss, outputs, states = net.run(chunk, start)
        end = states[-1]
        expected = {}
        for parameter in net.p.values():
            parameter.grad = torch.zeros_like(parameter)
        if spec.has_synthetic_gradients:
            synthetic = net.model(end).detach()
            if spec.method == "dni_aux":
                foretold = net.linear("auxiliary", outputs[0])
                loss = loss + spec.auxiliary_weight * (foretold - synthetic).square().sum()
            within = spec.synthetic_gradient_factor if spec.factor_in_target else 1.0
            (delta,) = torch.autograd.grad(loss + (within * synthetic * end).sum(), start, retain_graph=True)
            loss = loss + (spec.synthetic_gradient_factor * synthetic * end).sum()
            at_start = start.detach().requires_grad_()
            predicted = net.model(at_start)
            learns = chunk["continued"] if spec.regression_rows == "continued" else 1.0
            (((predicted - delta).square() * learns).sum() / batch).backward()
            if spec.regression_gradient:
                state, x, keep = self.before
                (net.core(x, state) * keep * at_start.grad).sum().backward()
            expected |= {"delta": delta, "synthetic": predicted}
        (loss / batch).backward()
        expected |= {f"gradient.{name}": value.grad.clone() for name, value in net.p.items()}
        for adam in self.adams:
            adam.step()
        self.before, self.state = (states[-2].detach(), chunk["x"][-1], chunk["keep"][-1]), end.detach()
        return expected | {"end": end}


@jax_slow_axis
@pytest.mark.parametrize("dataset", ["copy", "ptb"])
def test_dni_without_what_it_adds_is_bptt(framework, dataset):
    """A factor of 0, and an M that is still zero, leave nothing of the synthetic gradient."""
    plain = runner("recurrent", Spec.tiny(dataset=dataset, method="bptt"), framework)
    nothing = runner("recurrent", Spec.tiny(dataset=dataset, method="dni", synthetic_gradient_factor=0.0), framework)
    untaught = runner("recurrent", Spec.tiny(dataset=dataset, method="dni"), framework)
    first = inputs_of(plain, SEEDS, 0, 1)
    at_first = gradients_of(observe(untaught, first))
    for name, value in gradients_of(observe(plain, first)).items():
        assert_near(at_first[name], value, name)
    for k in range(8):
        for run in (plain, nothing):
            run.advance(inputs_of(run, SEEDS, k, k + 1))
    expected, found = parameters_of(plain.leaves()), parameters_of(nothing.leaves())
    for name, value in expected.items():
        assert_near(found[name], value, name)


@jax_slow_axis
def test_dni_aux_of_weight_zero_is_dni(framework):
    dni = runner("recurrent", Spec.tiny(method="dni"), framework)
    aux = runner("recurrent", Spec.tiny(method="dni_aux", auxiliary_weight=0.0), framework)
    leaves = off_zero(dni)  # M must not be zero, else there is no target for the auxiliary task
    for run in (dni, aux):
        run.load(run.leaves() | leaves)
        for k in range(8):
            run.advance(inputs_of(run, SEEDS, k, k + 1))
    found = parameters_of(aux.leaves())
    for name, value in parameters_of(dni.leaves()).items():
        assert_near(found[name], value, name)


@jax_slow_axis
def test_the_lstm_is_that_of_torch(framework):
    spec = Spec.tiny(method="bptt", dataset="ptb", truncation_length=6)
    run = started(spec, framework)
    observed = observe(run, inputs_of(run, SEEDS, 0, 1))
    parameters, hidden = parameters_of(run.leaves()), spec.hidden_units
    for replica in range(len(SEEDS)):
        lstm = torch.nn.LSTM(SYMBOLS, hidden).double()
        # PyTorch's order of gates is i, f, g, o.
        order = np.concatenate([np.arange(k * hidden, (k + 1) * hidden) for k in (0, 1, 3, 2)])

        def gates(name: str, replica: int = replica, order: np.ndarray = order) -> torch.Tensor:
            return torch.tensor(parameters[name][replica][..., order].T)

        with torch.no_grad():
            lstm.weight_ih_l0.copy_(gates("core.input.weight"))
            lstm.weight_hh_l0.copy_(gates("core.recurrent.weight"))
            lstm.bias_ih_l0.copy_(gates("core.input.bias"))
            lstm.bias_hh_l0.zero_()
            _, (h, c) = lstm(torch.tensor(observed["x"][replica]))
        assert_near(observed["end"][replica], torch.cat([h[0], c[0]], 1).numpy(), "state after six steps")


@jax_slow_axis
@pytest.mark.parametrize(("rows", "warm_up"), [(1, 0), (3, EXAMPLES), (7, EXAMPLES)])
def test_evaluation_of_a_text_counts_every_character_once(framework, rows, warm_up):
    """Each with the state of a pass over the whole text.

    With a warm-up as long as the text, every row has read all that such a pass has read.
    """
    spec = Spec.tiny(dataset="ptb", method="bptt", evaluation_rows=rows, evaluation_warm_up=warm_up)
    run = started(spec, framework)
    found = run.evaluate("train", None)["bits_per_character"]
    text = {name: np.asarray(values) for name, values in run.splits["train"].items()}
    for replica in range(len(SEEDS)):
        net = PlainRecurrent(spec, parameters_of(run.leaves()), replica)
        state, nats = torch.zeros(1, spec.state_units, dtype=torch.float64), 0.0
        for symbol, label in zip(text["inputs"], text["labels"], strict=True):
            state = net.core(torch.eye(SYMBOLS).double()[[int(symbol)]], state)
            nats += net.cost(state[:, : net.hidden], torch.tensor([int(label)])).item()
        np.testing.assert_allclose(found[replica], nats / np.log(2) / EXAMPLES, rtol=1e-12)


def test_jax_compiles_a_long_chunk_as_a_loop():
    """So its program does not grow with the chunk, and XLA cannot compute one time step within another."""

    def products(length: int) -> int:
        run = runner("recurrent", Spec.tiny(method="dni", truncation_length=length), "jax", precision="fp32")
        block = {name: run._array(value) for name, value in inputs_of(run, SEEDS, 0, 1).items()}
        return run.programs.launch.lower(run.state, run.train_data, block).as_text().count("dot_general")

    assert products(UNROLLED) > products(UNROLLED - 1)
    assert products(2 * UNROLLED) == products(UNROLLED + 1) < products(UNROLLED)
