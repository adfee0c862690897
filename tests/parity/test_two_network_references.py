"""The two networks against references: a literal loop in plain PyTorch, the joint system, finite differences."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch

from impls.engine.state import Leaves, flatten
from impls.experiments.two_network.spec import THREE, Spec
from tests.support import harness
from tests.support.harness import SEEDS, assert_same, inputs_of, jax_slow_axis, observe, runner
from tests.support.plain_two_network import Block, PlainTwoNetwork, plain_block

EXACT = 1e-10
STREAMS = 300  # so many that a slightly different net classifies some of them differently

# The decoupled methods have three windows of three digits: with two, many wrong orders give the right result by chance.
SPECS = {
    "bprop": Spec.tiny(method="bprop"),
    "no_bprop": Spec.tiny(method="no_bprop", period=3, evaluation_streams=STREAMS),
    "dni": Spec.tiny(method="dni", period=3, synthetic_gradient_depth=2, synthetic_gradient_units=6),
}


def off_zero(run) -> Leaves:
    """The run's state with all parameters moved to random values, M's zero map and the scales of norms among them."""
    rng, leaves = np.random.default_rng(1), run.leaves()
    for module in ("a", "b", "synthetic_gradient"):  # A and B must get the same values whether there is an M or not
        for name in sorted(leaves):
            if name.startswith(f"parameters.{module}."):
                leaves[name] = leaves[name] + 0.3 * rng.standard_normal(leaves[name].shape)
    return leaves


def started(spec: Spec, framework: str, *, share: bool = True):
    """A run from random parameters."""
    run = runner("two_network", spec, framework, share=share)
    run.load(off_zero(run))
    return run


def parameters_of(leaves: Leaves) -> Leaves:
    return {n.removeprefix("parameters."): v for n, v in leaves.items() if n.startswith("parameters.")}


def replicas_of(run) -> list[PlainTwoNetwork]:
    """The literal net of every replica, from the run's parameters."""
    return [PlainTwoNetwork(run.spec, parameters_of(run.leaves()), replica) for replica in range(len(SEEDS))]


def blocks_of(run, inputs: Leaves) -> list[Block]:
    """What every replica reads in the one iteration of `inputs`."""
    images, labels = (np.asarray(run.train_data[name]) for name in ("inputs", "labels"))
    return [plain_block(images[digits], labels[digits]) for digits in inputs["digits"][0]]


def assert_near(found: np.ndarray, expected: np.ndarray, name: str) -> None:
    np.testing.assert_allclose(found, expected, rtol=EXACT, atol=EXACT * max(1.0, np.abs(expected).max()), err_msg=name)


@jax_slow_axis
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_three_blocks_equal_a_literal_loop(framework, spec):
    """Parameters, running statistics and Adam's whole state, against a literal loop with plain autograd."""
    run = started(spec, framework)
    plain = replicas_of(run)
    for k in range(3):
        inputs = inputs_of(run, SEEDS, k, k + 1)
        for net, block in zip(plain, blocks_of(run, inputs), strict=True):
            net.train(block)
        run.advance(inputs)
        found, expected = run.leaves(), {}
        for name in plain[0].p:
            module, _, rest = name.partition(".")
            adam = f"adam_of_{module}"
            expected[f"parameters.{name}"] = np.stack([net.p[name].detach().numpy() for net in plain])
            expected[f"{adam}.m.{rest}"] = np.stack([net.adam_of[name][0].numpy() for net in plain])
            expected[f"{adam}.v.{rest}"] = np.stack([net.adam_of[name][1].numpy() for net in plain])
            expected[f"{adam}.t"] = np.array(float(plain[0].adam_of[name][2]))
        for name, values in stacked(net.statistics() for net in plain).items():
            moved = values[:, 1:] if ".recurrent." in name else values  # the twins do not project the first state
            expected[f"statistics.{name}"] = moved.reshape(found[f"statistics.{name}"].shape)
        assert_same(found, expected, f"{spec.method}, block {k}")


def stacked(replicas: Iterable[Leaves]) -> Leaves:
    """[{name: values}] to {name: [R, ...]}."""
    each = list(replicas)
    return {name: np.stack([values[name] for values in each]) for name in each[0]}


@jax_slow_axis
def test_evaluation_uses_the_running_statistics_of_each_time_step(framework):
    """Evaluation normalises with them. Those of two time steps are much alike, so they are moved apart at random; the
    nets are such that their reports vary by stream.
    """
    run, rng = runner("two_network", SPECS["no_bprop"], framework, share=True), np.random.default_rng(4)
    run.load({name: 0 * value + 3 if name.endswith(".scale") else value for name, value in run.leaves().items()})
    for k in range(30):
        run.advance(inputs_of(run, SEEDS, k, k + 1))
    leaves = run.leaves()
    for name in sorted(name for name in leaves if name.startswith("statistics.") and name.endswith(".mean")):
        variance = name.replace(".mean", ".variance")
        leaves[name] += 0.5 * np.sqrt(leaves[variance]) * rng.standard_normal(leaves[name].shape)
        leaves[variance] *= rng.uniform(0.5, 2, leaves[name].shape)
    run.load(leaves)
    labels = rng.integers(10, size=(STREAMS, run.spec.block))
    labels[rng.random(labels.shape) < rng.random((STREAMS, 1))] = THREE  # all counts from 0 to 9
    run.splits["test"]["labels"] = run._array(labels)
    found = run.evaluate("test", None)

    shape, images = (run.spec.period, run.spec.period, STREAMS), np.asarray(run.splits["test"]["inputs"])
    streams = plain_block(images.swapaxes(0, 1).reshape(*shape, 28, 28), labels.T.reshape(shape))
    for replica, net in enumerate(replicas_of(run)):
        net.running = running_of(leaves, replica)
        errors = [found[metric][replica] for metric in ("error_a", "error_b")]
        np.testing.assert_allclose(errors, net.errors(streams), rtol=1e-12)


def running_of(leaves: Leaves, replica: int) -> dict[tuple[str, int], list[torch.Tensor]]:
    """One replica's running mean and variance, by norm and time step."""
    found = {}
    for path in leaves:
        name = path.removeprefix("statistics.").removesuffix(".mean")
        if path == f"statistics.{name}.mean":
            moments = [leaves[f"statistics.{name}.{moment}"][replica] for moment in ("mean", "variance")]
            first = 1 if name.endswith(".recurrent") else 0  # the first state is zero, and not projected
            for t, pair in enumerate(zip(*(value.reshape(-1, value.shape[-1]) for value in moments), strict=True)):
                found[name, first + t] = [torch.tensor(value) for value in pair]
    return found


@jax_slow_axis
def test_the_joint_gradient_is_that_of_the_loss_by_finite_differences(framework):
    """Gradients of both networks' summed loss by every parameter. Adam's first mean is the gradient, scaled."""
    run = started(SPECS["bprop"], framework)
    inputs, parameters = inputs_of(run, SEEDS, 0, 1), parameters_of(run.leaves())
    block = blocks_of(run, inputs)[1]
    run.advance(inputs)
    found = first_gradients(run)

    @torch.no_grad()
    def loss(shifted: Leaves) -> float:
        return PlainTwoNetwork(run.spec, shifted, replica=1).joint(block)[0].item()

    rng = np.random.default_rng(2)
    assert set(found) == set(parameters)
    for name, value in parameters.items():
        for _ in range(3):
            at = (1, *(rng.integers(size) for size in value.shape[1:]))
            difference = 0.0
            for sign in (1, -1):
                shifted = value.copy()
                shifted[at] += sign * 1e-5
                difference += sign * loss(parameters | {name: shifted}) / 2e-5
            np.testing.assert_allclose(found[name][at], difference, rtol=1e-5, atol=1e-8, err_msg=name)


def first_gradients(run) -> Leaves:
    """The gradients of A and B in a run's first iteration, in which each was updated once."""
    (first, _), found = run.spec.adam_decays, {}
    for path, value in run.leaves().items():
        if path.startswith(("adam_of_a.m.", "adam_of_b.m.")):
            found[path.removeprefix("adam_of_").replace(".m.", ".", 1)] = value / (1 - first)
    return found


@jax_slow_axis
def test_with_the_true_gradient_for_m_dni_has_the_joint_gradient(framework, monkeypatch):
    """The decoupled networks A and B both do, with the parameters that hold at the block's start.

    The true gradient is autograd's, of one graph of both networks.
    """
    joint = started(SPECS["bprop"], framework)
    inputs = inputs_of(joint, SEEDS, 0, 1)
    true = []
    for net, block in zip(replicas_of(joint), blocks_of(joint, inputs), strict=True):
        loss, messages = net.joint(block)
        # A's own loss does not depend on its messages, so this is the gradient that B sends, for one stream's loss.
        true.append(torch.stack(torch.autograd.grad(loss * joint.spec.batch_size, messages)).numpy())
    joint.advance(inputs)

    run = started(Spec.tiny(method="dni", synthetic_gradient_factor=1.0), framework, share=False)
    true_RPBM = run._array(np.stack(true))

    def oracle(model, *_):
        return true_RPBM + 0 * sum(value.sum() for value in flatten(model).values())

    monkeypatch.setattr(run.implementation, "synthetic_gradient", oracle)
    monkeypatch.setattr(harness, "_compiled", harness._compiled.__wrapped__)  # compiled for this test alone
    observed = observe(run, inputs)
    assert_near(observed["delta"], np.stack(true), "delta")
    for name, expected in first_gradients(joint).items():
        assert_near(observed[f"gradient.{name}"], expected, name)


@jax_slow_axis
def test_dni_without_what_it_adds_is_no_bprop(framework):
    """A factor of 0, and in the first block an M that is still zero, leave A with nothing from its messages."""
    spec = SPECS["dni"]
    plain = runner("two_network", SPECS["no_bprop"], framework, share=True)
    untaught = runner("two_network", spec, framework, share=True)
    nothing = runner("two_network", spec.model_copy(update={"synthetic_gradient_factor": 0.0}), framework)
    for k in range(4):
        inputs = inputs_of(plain, SEEDS, k, k + 1)
        for run in (plain, nothing, *([untaught] if k < 2 else [])):
            run.advance(inputs)
        expected = parameters_of(plain.leaves())
        for run in (nothing, *([untaught] if k == 0 else [])):
            found = parameters_of(run.leaves())
            for name, value in expected.items():
                assert_near(found[name], value, f"{name}, block {k}")
        if k == 1:
            apart = np.abs(parameters_of(untaught.leaves())["a.message.weight"] - expected["a.message.weight"])
            assert apart.max() > 1e-4, "M has learnt nothing, so nothing was compared"
    assert np.abs(nothing.leaves()["parameters.synthetic_gradient.output.weight"]).max() > 0, "M is taught all the same"


@jax_slow_axis
def test_m_is_measured_against_what_b_sent_down(framework):
    """By hand, from the messages and the gradients that they should receive by autograd."""
    run = started(SPECS["dni"], framework)
    inputs = inputs_of(run, SEEDS, 0, 1)
    found = run.measure(inputs)
    for replica, (net, block) in enumerate(zip(replicas_of(run), blocks_of(run, inputs), strict=True)):
        loss, messages = net.joint(block)
        true = torch.stack(torch.autograd.grad(loss * run.spec.batch_size, messages)).flatten(0, 1)
        predicted = net.model(torch.cat(messages))
        explained = 1 - (predicted - true).square().sum() / true.square().sum()
        np.testing.assert_allclose(found["explained_variance"][replica], explained.item(), rtol=1e-9)
        cosine = torch.nn.functional.cosine_similarity(predicted, true, eps=0).mean()
        np.testing.assert_allclose(found["cosine_similarity"][replica], cosine.item(), rtol=1e-9)
