"""The feed-forward twins against independent references, which find a mistake that both twins share.

The reference is the plain net of `plain_net.py`: autograd through the whole of it, and the textbook loop of a DNI.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from impls.engine.state import flatten
from impls.experiments.feedforward.spec import Spec
from impls.registry import implementation
from tests.support.harness import EXAMPLES, SEEDS, jax_slow_axis, runner
from tests.support.plain_net import (
    EXACT,
    TINY,
    PlainNet,
    assert_close,
    gradients_of,
    model_axis,
    parameters_off_zero,
    plain_batch,
    run_with,
    true_activation_gradients,
)


@jax_slow_axis
@pytest.mark.parametrize("depth", [2, 4])
@model_axis
def test_bprop_is_backpropagation(framework, depth, sizes):
    spec = Spec(method="bprop", depth=depth, **sizes)
    parameters = parameters_off_zero(spec)
    run, inputs = run_with(spec, framework, parameters), spec.step_inputs(SEEDS, EXAMPLES, 0, 1)
    found = gradients_of(run, inputs)
    for replica in range(len(SEEDS)):
        net = PlainNet(spec, parameters, replica)
        h, labels = plain_batch(run, inputs, replica)
        for i in range(1, depth):
            h = net.hidden(f"layer{i}", h)
        (net.summed_loss(h, labels) / spec.batch_size).backward()
        assert set(found) == set(net.p)
        for name, value in found.items():
            assert_close(value[replica], net.p[name].grad, name)


@jax_slow_axis
@pytest.mark.parametrize("method", ["dni", "cdni"])
@pytest.mark.parametrize("target_scale", ["example", "batch_mean"])
@model_axis
def test_every_layer_dni_is_the_textbook_loop(framework, method, target_scale, sizes):
    """Layers, bootstrapped targets and the regression of every M, for models with one or more hidden layers."""
    spec = Spec(method=method, depth=4, target_scale=target_scale, **sizes)
    parameters = parameters_off_zero(spec)
    run, inputs = run_with(spec, framework, parameters), spec.step_inputs(SEEDS, EXAMPLES, 0, 1)
    found = gradients_of(run, inputs)
    scale = 1 if target_scale == "example" else 1 / spec.batch_size  # of the loss whose gradient M learns
    for replica in range(len(SEEDS)):
        net = PlainNet(spec, parameters, replica)
        x, labels = plain_batch(run, inputs, replica)
        h = x
        previous_output = None
        for i in range(1, spec.depth + 1):
            h_in = h.detach().requires_grad_()
            if i < spec.depth:
                output = net.hidden(f"layer{i}", h_in)
                sent = net.model(i, output.detach(), labels).detach()
                update = (output * sent).sum()
            else:
                output, update = None, net.summed_loss(h_in, labels) * scale
            (update / (scale * spec.batch_size)).backward(retain_graph=True)
            if i > 1:
                (target,) = torch.autograd.grad(update, h_in)
                prediction = net.model(i - 1, previous_output, labels)
                ((prediction - target.detach()) ** 2).flatten(1).sum(1).mean().backward()
            if output is not None:
                h = previous_output = output.detach()
        assert set(found) == set(net.p)
        for name, value in found.items():
            assert_close(value[replica], net.p[name].grad, name)


@jax_slow_axis
@pytest.mark.parametrize("method", ["dni", "cdni"])
def test_dni_with_the_true_gradient_in_place_of_m_is_backpropagation(framework, method, monkeypatch):
    """Also the updates: after a step of Adam the net's parameters are bprop's."""
    inputs = Spec(**TINY).step_inputs(SEEDS, EXAMPLES, 0, 1)
    bprop = Spec(method="bprop", depth=4, **TINY)
    dni = Spec(method=method, depth=4, **TINY)
    parameters = parameters_off_zero(dni)
    net_parameters = {name: parameters[name] for name in bprop.initial_parameters(0)}
    expected = run_with(bprop, framework, net_parameters)

    truth = true_activation_gradients(bprop, expected, net_parameters, inputs)
    twin = implementation("feedforward", framework)
    # Called twice: when it is observed, and when it trains.
    asked = iter([i for _ in range(2) for i in reversed(range(1, dni.depth))])

    def perfect_model(model_parameters, h_RBH, labels_RB, spec):
        nothing = sum((0 * value).sum() for value in flatten(model_parameters).values())
        return run._array(truth[next(asked)]) + nothing

    run = run_with(dni, framework, parameters)
    monkeypatch.setattr(twin, "synthetic_gradient", perfect_model)
    found = gradients_of(run, inputs, compiled=False)  # a compiled one might be an earlier test's, with M
    for name, value in gradients_of(expected, inputs).items():
        np.testing.assert_allclose(found[name], value, rtol=EXACT, atol=EXACT, err_msg=name)
    run.advance(inputs)
    expected.advance(inputs)
    after, wanted = run.leaves(), expected.leaves()
    for name in net_parameters:
        path = f"parameters.{name}"
        np.testing.assert_allclose(after[path], wanted[path], rtol=EXACT, atol=EXACT, err_msg=path)


@jax_slow_axis
@pytest.mark.parametrize("method", ["dni", "cdni"])
def test_the_first_step_of_dni_is_that_of_no_bprop_below_the_last_cut(framework, method):
    """The last map of every M starts at zero, so the first synthetic gradients are zero."""
    inputs = Spec(**TINY).step_inputs(SEEDS, EXAMPLES, 0, 1)
    states = []
    for name in (method, "no_bprop"):
        run = runner("feedforward", Spec(method=name, depth=4, **TINY), framework)
        run.advance(inputs)
        states.append(run.leaves())
    dni, no_bprop = states
    for path, value in no_bprop.items():
        if path.startswith(("parameters.layer", "statistics.", "parameters.classifier")):
            np.testing.assert_array_equal(dni[path], value, err_msg=path)
    assert dni["parameters.synthetic_gradient3.output.weight"].any(), "M learns from the first step on"


@jax_slow_axis
@pytest.mark.parametrize(("method", "unlocked"), [("dni", True), ("cdni", True), ("bprop", False)])
def test_a_layer_is_unlocked_from_the_layers_above(framework, method, unlocked):
    """A change to layer 3's and the classifier's weights leaves this iteration's updates of layers 1 and 2 alone."""
    spec = Spec(method=method, depth=4, **TINY)
    inputs = spec.step_inputs(SEEDS, EXAMPLES, 0, 1)
    parameters = parameters_off_zero(spec)
    changed = parameters | {
        name: 1.5 * parameters[name] + 0.1 for name in ("layer3.weight", "layer3.scale", "classifier.weight")
    }
    before, after = (gradients_of(run_with(spec, framework, p), inputs) for p in (parameters, changed))
    for name in before:
        if name.startswith(("layer1.", "layer2.")):
            assert np.array_equal(before[name], after[name]) == unlocked, name
    assert not np.array_equal(before["layer3.weight"], after["layer3.weight"])


@jax_slow_axis
def test_bprop_agrees_with_finite_differences(framework):
    """Central differences of the training loss, with the batch's own statistics."""
    spec = Spec(method="bprop", depth=3, **TINY)
    parameters = parameters_off_zero(spec, SEEDS[:1])
    inputs = spec.step_inputs(SEEDS[:1], EXAMPLES, 0, 1)
    run = run_with(spec, framework, parameters, SEEDS[:1])
    found = gradients_of(run, inputs)
    x, labels = plain_batch(run, inputs, 0)

    def loss(shifted: dict[str, np.ndarray]) -> float:
        h = x.numpy()
        for i in range(1, spec.depth):
            z = h @ shifted[f"layer{i}.weight"][0]
            z = (z - z.mean(0)) / np.sqrt(z.var(0) + spec.batch_norm_epsilon)
            h = np.maximum(z * shifted[f"layer{i}.scale"][0] + shifted[f"layer{i}.shift"][0], 0)
        logits = h @ shifted["classifier.weight"][0] + shifted["classifier.bias"][0]
        log_sum = np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)) + logits.max(1)
        return float((log_sum - logits[np.arange(len(labels)), labels.numpy()]).mean())

    rng = np.random.default_rng(2)
    for name, value in parameters.items():
        direction = rng.standard_normal(value.shape)
        step = 1e-6
        plus, minus = (loss(parameters | {name: value + sign * step * direction}) for sign in (1, -1))
        slope = float((found[name] * direction).sum())
        assert slope == pytest.approx((plus - minus) / (2 * step), rel=1e-5, abs=1e-8), name
