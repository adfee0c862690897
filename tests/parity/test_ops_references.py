"""The shared operations of both frameworks against references from the libraries or by hand."""

from __future__ import annotations

import importlib
from functools import partial

import jax
import numpy as np
import pytest
import torch

from tests.support.harness import framework_axis


def ops(framework: str):
    return importlib.import_module(f"impls.engine.{framework}_ops")


def adam_of(framework: str):
    return importlib.import_module(f"impls.engine.{framework}_adam")


def to_array(framework: str, value: np.ndarray):
    return torch.from_numpy(value.copy()) if framework == "torch" else jax.numpy.asarray(value)


@framework_axis
@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize(("batch", "inputs", "outputs"), [(256, 784, 256), (64, 266, 33), (5, 7, 1)])
def test_matmul_and_its_gradients_in_float32(framework, replicas, batch, inputs, outputs):
    """Forward, the gradient of the weight, the gradient of the input: against NumPy in float64."""
    rng = np.random.default_rng(0)
    x, weight, gradient = (
        rng.standard_normal(shape).astype(np.float32)
        for shape in ((replicas, batch, inputs), (replicas, inputs, outputs), (replicas, batch, outputs))
    )
    output, pullback = ops(framework).vjp(
        lambda p, x: ops(framework).matmul(x, p["weight"]),
        {"weight": to_array(framework, weight)},
        to_array(framework, x),
    )
    weight_gradients, x_gradient = pullback(to_array(framework, gradient))
    x, weight, gradient = (value.astype(np.float64) for value in (x, weight, gradient))
    expected = (x @ weight, x.swapaxes(1, 2) @ gradient, gradient @ weight.swapaxes(1, 2))
    for found, wanted in zip((output, weight_gradients["weight"], x_gradient), expected, strict=True):
        np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


@framework_axis
def test_vjp_leaves_out_an_unwanted_input_gradient(framework):
    x, weight = to_array(framework, np.ones((1, 2, 3))), to_array(framework, np.ones((1, 3, 4)))
    function = lambda p, x: (ops(framework).matmul(x, p["weight"]), "kept")  # noqa: E731
    output, pullback, auxiliary = ops(framework).vjp(
        function, {"weight": weight}, x, input_gradient=False, has_aux=True
    )
    gradients, x_gradient = pullback(output)
    assert auxiliary == "kept"
    assert x_gradient is None
    assert set(gradients) == {"weight"}


@framework_axis
@pytest.mark.parametrize("unrolled", [0, 4])
def test_scan_along_an_axis(framework, unrolled):
    """Sums of the entries so far, along the second axis, as a loop and round by round; nothing is stacked without y."""
    x = np.arange(24.0, dtype=np.float32).reshape(2, 4, 3)
    start, entries = to_array(framework, np.zeros((2, 3), np.float32)), (to_array(framework, x),)
    scan = partial(ops(framework).scan, axis=1, unrolled=unrolled)
    last, sums = scan(lambda carry, entry: (carry + entry, carry + entry), start, entries)
    np.testing.assert_array_equal(np.asarray(sums), x.cumsum(1))
    np.testing.assert_array_equal(np.asarray(last), x.sum(1))
    last, nothing = scan(lambda carry, entry: (carry + entry, None), start, entries)
    assert nothing is None
    np.testing.assert_array_equal(np.asarray(last), x.sum(1))


@framework_axis
def test_adam_is_the_librarys_with_a_changing_learning_rate(framework):
    rng = np.random.default_rng(1)
    start = {"a": rng.standard_normal((2, 3)), "b": rng.standard_normal((2, 4)), "still": rng.standard_normal(2)}
    reference = [torch.tensor(start[name], requires_grad=True) for name in "ab"]
    optimizer = torch.optim.Adam(reference, lr=1.0, betas=(0.8, 0.95), eps=1e-3)
    with jax.enable_x64(True):
        parameters = {name: to_array(framework, value) for name, value in start.items()}
        state = adam_of(framework).adam_init(parameters)
        for k in range(10):
            gradients = {name: rng.standard_normal(start[name].shape) for name in "ab"}
            rate = 0.1 / (k + 1)
            updated = adam_of(framework).adam(
                state,
                parameters,
                {name: to_array(framework, value) for name, value in gradients.items()},
                to_array(framework, np.array(rate)),
                (0.8, 0.95),
                1e-3,
            )
            state, parameters = updated or (state, parameters)
            for parameter, name in zip(reference, "ab", strict=True):
                parameter.grad = torch.tensor(gradients[name])
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
            for parameter, name in zip(reference, "ab", strict=True):
                np.testing.assert_allclose(np.asarray(parameters[name]), parameter.detach().numpy(), rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(parameters["still"]), start["still"])


@framework_axis
def test_batch_norm_is_the_librarys(framework):
    rng = np.random.default_rng(2)
    x, scale, shift = rng.standard_normal((2, 9, 4)), rng.standard_normal((2, 4)), rng.standard_normal((2, 4))
    with jax.enable_x64(True):
        arrays = [to_array(framework, value) for value in (x, scale, shift)]
        output, (mean, variance) = ops(framework).batch_norm(*arrays, 1e-3)
        again = ops(framework).normalise(arrays[0], mean, variance, *arrays[1:], 1e-3)
        output, mean, variance, again = (np.asarray(value) for value in (output, mean, variance, again))
    for replica in range(2):
        x_r, scale_r, shift_r = (torch.tensor(value[replica]) for value in (x, scale, shift))
        wanted = torch.nn.functional.batch_norm(x_r, None, None, scale_r, shift_r, training=True, eps=1e-3)
        np.testing.assert_allclose(output[replica], wanted, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(again[replica], wanted, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(mean, x.mean(1), atol=1e-14)
    np.testing.assert_allclose(variance, x.var(1), rtol=1e-12)


@framework_axis
def test_batch_norms_gradients_are_the_librarys(framework):
    rng = np.random.default_rng(3)
    x, gradient = rng.standard_normal((2, 2, 9, 4))
    scale, shift = rng.standard_normal((2, 2, 4))
    with jax.enable_x64(True):
        arrays = [to_array(framework, value) for value in (x, scale, shift, gradient)]
        _, pullback, _ = ops(framework).vjp(
            lambda p, x: ops(framework).batch_norm(x, p["scale"], p["shift"], 1e-3),
            {"scale": arrays[1], "shift": arrays[2]},
            arrays[0],
            has_aux=True,
        )
        parameter_gradients, x_gradient = pullback(arrays[3])
        found = [
            np.asarray(value) for value in (x_gradient, parameter_gradients["scale"], parameter_gradients["shift"])
        ]
    for replica in range(2):
        inputs = [torch.tensor(value[replica], requires_grad=True) for value in (x, scale, shift)]
        output = torch.nn.functional.batch_norm(inputs[0], None, None, *inputs[1:], training=True, eps=1e-3)
        wanted = torch.autograd.grad(output, inputs, torch.tensor(gradient[replica]))
        for ours, theirs in zip(found, wanted, strict=True):
            np.testing.assert_allclose(ours[replica], theirs, rtol=1e-9, atol=1e-12)
