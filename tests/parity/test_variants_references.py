"""The variants of the feed-forward net (one cut, stale gradients, BP(lambda), gradient quality) against plain ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from impls.experiments.feedforward.spec import Spec
from tests.support.harness import EXAMPLES, SEEDS, jax_slow_axis
from tests.support.plain_net import (
    EXACT,
    TINY,
    PlainNet,
    assert_close,
    channels_last,
    gradients_of,
    model_axis,
    parameters_off_zero,
    plain_batch,
    run_with,
    true_activation_gradients,
)

STEPS = 3


def trained(spec: Spec, framework: str, parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state after a few iterations."""
    run = run_with(spec, framework, {name: parameters[name] for name in spec.initial_parameters(0)})
    run.advance(spec.step_inputs(SEEDS, EXAMPLES, 0, STEPS))
    return run.leaves()


@jax_slow_axis
@model_axis
@pytest.mark.parametrize("method", ["dni", "cdni"])
def test_bp_lambda_1_is_backpropagation(framework, sizes, method):
    mixed = Spec(method=method, bp_lambda=1.0, **sizes)
    parameters = parameters_off_zero(mixed)
    found = trained(mixed, framework, parameters)
    for path, value in trained(Spec(method="bprop", **sizes), framework, parameters).items():
        if not path.endswith("count"):
            np.testing.assert_allclose(found[path], value, rtol=EXACT, atol=EXACT, err_msg=path)


@jax_slow_axis
def test_bp_lambda_0_is_dni_and_what_lies_between_is_neither(framework):
    parameters = parameters_off_zero(Spec(method="dni", **TINY))
    dni, none, half, all_ = (
        trained(Spec(method="dni", **lambdas, **TINY), framework, parameters)["parameters.layer1.weight"]
        for lambdas in ({}, {"bp_lambda": 0.0}, {"bp_lambda": 0.5}, {"bp_lambda": 1.0})
    )
    np.testing.assert_array_equal(dni, none)
    assert not np.allclose(half, dni) and not np.allclose(half, all_)


@jax_slow_axis
@model_axis
@pytest.mark.parametrize("bp_lambda", [0.25, 0.75])
def test_bp_lambda_is_its_recursion(framework, sizes, bp_lambda):
    """gbar_k = (1 - lambda) M_k(h_k) + lambda gbar_{k+1} dh_{k+1}/dh_k, written out from the top."""
    spec = Spec(method="dni", bp_lambda=bp_lambda, **sizes)
    parameters = parameters_off_zero(spec)
    run, inputs = run_with(spec, framework, parameters), spec.step_inputs(SEEDS, EXAMPLES, 0, 1)
    found = gradients_of(run, inputs)
    for replica in range(len(SEEDS)):
        net = PlainNet(spec, parameters, replica)
        x, labels = plain_batch(run, inputs, replica)
        h = [x]
        outputs = [None]
        for i in range(1, spec.depth):
            h[-1] = h[-1].detach().requires_grad_()
            outputs.append(net.hidden(f"layer{i}", h[-1]))
            h.append(outputs[-1])
        top = h[-1].detach().requires_grad_()
        (sent,) = torch.autograd.grad(net.summed_loss(top, labels), top)
        for i in reversed(range(1, spec.depth)):
            gbar = (1 - bp_lambda) * net.model(i, outputs[i].detach(), labels).detach() + bp_lambda * sent
            weight = net.p[f"layer{i}.weight"]
            of_weight, sent = torch.autograd.grad(outputs[i], [weight, h[i - 1]], gbar)
            assert_close(found[f"layer{i}.weight"][replica], of_weight / spec.batch_size, f"layer{i}.weight")


@jax_slow_axis
@model_axis
@pytest.mark.parametrize("cut", [1, 2, 3])
@pytest.mark.parametrize("method", ["no_bprop", "dni", "cdni"])
def test_one_cut_splits_the_net_in_two(framework, sizes, cut, method):
    """Above the cut backpropagation; below it what M sends (nothing without M). M's target is the true gradient."""
    spec = Spec(method=method, cut_after=cut, **sizes)
    parameters = parameters_off_zero(spec)
    run, inputs = run_with(spec, framework, parameters), spec.step_inputs(SEEDS, EXAMPLES, 0, 1)
    found = gradients_of(run, inputs)
    for replica in range(len(SEEDS)):
        net = PlainNet(spec, parameters, replica)
        h, labels = plain_batch(run, inputs, replica)
        for i in range(1, spec.depth):
            h = net.hidden(f"layer{i}", h)
            if i == cut:
                below, h = h, h.detach().requires_grad_()
                above = h
        loss = net.summed_loss(h, labels)
        (target,) = torch.autograd.grad(loss, above, retain_graph=True)
        (loss / spec.batch_size).backward()
        if method != "no_bprop":
            sent = net.model(cut, below.detach(), labels)
            ((sent - target) ** 2).flatten(1).sum(1).mean().backward()
            ((below * sent.detach()).sum() / spec.batch_size).backward()
        assert set(found) == {name for name, value in net.p.items() if value.grad is not None}
        for name, value in found.items():
            assert_close(value[replica], net.p[name].grad, name)


@jax_slow_axis
@model_axis
def test_stale_gradients_are_averages_of_past_true_ones(framework, sizes):
    """What a layer receives: the average, over the iterations before this one, of each batch's mean true gradient."""
    spec = Spec(method="stale", stale_decay=0.5, **sizes)
    parameters = parameters_off_zero(spec)
    run = run_with(spec, framework, parameters)
    average = {i: np.zeros((len(SEEDS), *spec.activation_shape(i))) for i in range(1, spec.depth)}
    for k in range(STEPS):
        inputs = spec.step_inputs(SEEDS, EXAMPLES, k, k + 1)
        now = {path.removeprefix("parameters."): value for path, value in run.leaves().items()}
        now = {name: now[name] for name in parameters}
        found = gradients_of(run, inputs)
        for replica in range(len(SEEDS)):
            net = PlainNet(spec, now, replica)
            h, _ = plain_batch(run, inputs, replica)
            for i in range(1, spec.depth):
                h = net.hidden(f"layer{i}", h.detach())
                sent = torch.tensor(average[i][replica])
                (channels_last(h) * sent).sum().div(spec.batch_size).backward()
            for name in (f"layer{i}.weight" for i in range(1, spec.depth)):
                assert_close(found[name][replica], net.p[name].grad, f"{name}, iteration {k}")
        true = true_activation_gradients(spec, run, now, inputs)
        average = {i: 0.5 * average[i] + 0.5 * true[i].mean(1) for i in average}
        run.advance(inputs)


@jax_slow_axis
@model_axis
@pytest.mark.parametrize("target_scale", ["example", "batch_mean"])
def test_gradient_quality_by_hand(framework, sizes, target_scale):
    spec = Spec(method="cdni", cut_after=2, target_scale=target_scale, **sizes)
    parameters = parameters_off_zero(spec)
    run, inputs = run_with(spec, framework, parameters), spec.step_inputs(SEEDS, EXAMPLES, 0, 1)
    found = run.measure(inputs)
    true = true_activation_gradients(spec, run, parameters, inputs)[2].reshape(len(SEEDS), spec.batch_size, -1)
    assert set(found) == {f"h2.{name}" for name in ("l2_error", "true_norm", "cosine_similarity", "sign_error")}
    for replica in range(len(SEEDS)):
        net = PlainNet(spec, parameters, replica)
        h, labels = plain_batch(run, inputs, replica)
        for i in (1, 2):
            h = net.hidden(f"layer{i}", h)
        sent = channels_last(net.model(2, h, labels)).flatten(1).detach().numpy()
        sent = sent * (spec.batch_size if target_scale == "batch_mean" else 1)
        norm = np.linalg.norm
        expected = {
            "l2_error": norm(sent - true[replica], axis=1).mean(),
            "true_norm": norm(true[replica], axis=1).mean(),
            "cosine_similarity": np.mean([a @ b / norm(a) / norm(b) for a, b in zip(sent, true[replica], strict=True)]),
            "sign_error": 100 * np.mean(np.sign(sent) != np.sign(true[replica])),
        }
        for name, value in expected.items():
            assert found[f"h2.{name}"][replica] == pytest.approx(value, rel=1e-10), name


@jax_slow_axis
def test_a_perfect_model_has_no_error_and_a_silent_one_the_whole(framework):
    """The first synthetic gradients are zero: their error is the gradient's norm, and they have no direction."""
    spec = Spec(method="dni", cut_after=1, **TINY)
    parameters = {
        name: np.stack([spec.initial_parameters(seed)[name] for seed in SEEDS]) for name in spec.initial_parameters(0)
    }
    found = run_with(spec, framework, parameters).measure(spec.step_inputs(SEEDS, EXAMPLES, 0, 1))
    np.testing.assert_array_equal(found["h1.l2_error"], found["h1.true_norm"])
    np.testing.assert_array_equal(found["h1.cosine_similarity"], 0)
    np.testing.assert_array_equal(found["h1.sign_error"], 100)


@jax_slow_axis
@model_axis
def test_evaluation_normalises_with_the_running_statistics(framework, sizes):
    spec = Spec(method="bprop", depth=3, **sizes)
    parameters = parameters_off_zero(spec)
    run = run_with(spec, framework, parameters)
    run.advance(spec.step_inputs(SEEDS, EXAMPLES, 0, STEPS))
    state, found = run.leaves(), run.evaluate("train", None)
    everything = {"indices": np.tile(np.arange(EXAMPLES), (1, len(SEEDS), 1))}
    for replica in range(len(SEEDS)):
        net = PlainNet(spec, {name: state[f"parameters.{name}"] for name in parameters}, replica)
        h, labels = plain_batch(run, everything, replica)
        for i in range(1, spec.depth):
            mean, variance = (torch.tensor(state[f"statistics.layer{i}.{n}"][replica]) for n in ("mean", "variance"))
            z = net.affine(f"layer{i}", h)
            p = {n: net.p[f"layer{i}.{n}"] for n in ("scale", "shift")}
            h = F.relu(F.batch_norm(z, mean, variance, p["scale"], p["shift"], eps=spec.batch_norm_epsilon))
            if spec.model == "cnn":
                h = F.max_pool2d(h, 3, 2, 1) if i == 1 else F.avg_pool2d(h, 3, 2, 1)
        assert found["loss"][replica] == pytest.approx(net.summed_loss(h, labels).item() / EXAMPLES, rel=1e-10)
