"""Precision mode bf16: factors of products are rounded, sums and parameters are not, the same in both frameworks."""

from __future__ import annotations

import importlib

import jax
import ml_dtypes
import numpy as np
import pytest
import torch

from impls.experiments.feedforward.spec import Spec
from impls.experiments.recurrent.spec import Spec as Recurrent
from impls.registry import FRAMEWORKS
from tests.support.harness import SEEDS, inputs_of, runner

CELLS = {
    "fcn": ("feedforward", Spec.tiny(method="dni")),
    "cnn": ("feedforward", Spec.tiny(method="bprop", model="cnn", depth=3)),
    "lstm": ("recurrent", Recurrent.tiny(method="dni")),
}


def engine(framework: str):
    return importlib.import_module(f"impls.engine.{framework}_engine")


def rounded(x: np.ndarray) -> np.ndarray:
    return x.astype(ml_dtypes.bfloat16).astype(np.float64)


def results(framework: str, operation: str, *values: np.ndarray) -> list[np.ndarray]:
    """The result of `matmul` or `convolution` for (x, weight, gradient), and the gradients of x and of the weight."""
    ops = importlib.import_module(f"impls.engine.{framework}_ops")
    arrays = [torch.from_numpy(v) if framework == "torch" else jax.numpy.asarray(v) for v in values]
    with engine(framework).precision_mode("bf16"):
        function = getattr(ops, operation)
        output, pullback = ops.vjp(lambda p, x: function(x, p["weight"]), {"weight": arrays[1]}, arrays[0])
        weight_gradients, x_gradient = pullback(arrays[2])
    return [np.asarray(value) for value in (output, x_gradient, weight_gradients["weight"])]


def draw(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_products_round_their_factors_and_not_their_sums(framework):
    """A matrix product and its gradients are those of factors rounded to bfloat16, summed without rounding."""
    x, weight, gradient = draw((2, 64, 300), (2, 300, 33), (2, 64, 33))
    found = results(framework, "matmul", x, weight, gradient)
    a, b, g = rounded(x), rounded(weight), rounded(gradient)
    wanted = (a @ b, g @ b.swapaxes(1, 2), a.swapaxes(1, 2) @ g)
    for ours, exact in zip(found, wanted, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, exact, rtol=1e-5, atol=1e-5 * np.abs(exact).max())
    assert np.abs(found[0] - x.astype(np.float64) @ weight).max() > 0.05, "that is how much rounding changes"


def test_a_convolution_rounds_what_a_product_rounds_in_both_frameworks():
    arrays = draw((2, 3, 6, 6, 4), (2, 5, 5, 4, 3), (2, 3, 6, 6, 3))
    found = {framework: results(framework, "convolution", *arrays) for framework in FRAMEWORKS}
    x, weight, gradient = (torch.from_numpy(rounded(value)) for value in arrays)
    for replica in range(2):
        a, b = (x[replica].permute(0, 3, 1, 2).requires_grad_(), weight[replica].permute(3, 2, 0, 1).requires_grad_())
        y = torch.nn.functional.conv2d(a, b, padding=2)
        a_gradient, b_gradient = torch.autograd.grad(y, (a, b), gradient[replica].permute(0, 3, 1, 2))
        wanted = (y.permute(0, 2, 3, 1), a_gradient.permute(0, 2, 3, 1), b_gradient.permute(2, 3, 1, 0))
        for framework in FRAMEWORKS:
            for ours, exact in zip(found[framework], wanted, strict=True):
                exact = exact.detach().numpy()
                np.testing.assert_allclose(ours[replica], exact, rtol=1e-5, atol=1e-5 * np.abs(exact).max())


@pytest.mark.slow("compiles three cells in two precisions and two frameworks")
@pytest.mark.parametrize("cell", CELLS)
def test_a_step_in_bf16_is_near_that_in_fp32_and_not_equal(cell):
    """The frameworks agree on it."""
    experiment, spec = CELLS[cell]
    found = {}
    for framework in FRAMEWORKS:
        for precision in ("fp32", "bf16"):
            run = runner(experiment, spec, framework, precision=precision)
            run.advance(inputs_of(run, SEEDS, 0, 1))
            found[framework, precision] = run.leaves()
            if precision == "bf16":
                floats = {name: v.dtype for name, v in run.leaves().items() if np.issubdtype(v.dtype, np.floating)}
                assert set(floats.values()) == {np.dtype(np.float32)}, "parameters and Adam stay float32"
    for framework in FRAMEWORKS:
        sides = found[framework, "fp32"], found[framework, "bf16"]
        assert 0 < distance(*sides, "parameters.") < 1e-2
        assert 1e-4 < distance(*sides, ".m.") < 3e-2, "Adam's means are the gradients of a first step"
    assert distance(found["torch", "bf16"], found["jax", "bf16"], ".m.") < 1e-5


def distance(a: dict[str, np.ndarray], b: dict[str, np.ndarray], part: str) -> float:
    """The distance of all leaves in a part of the state, relative to their length."""
    names = [name for name in a if part in f".{name}"]
    assert names
    squares = [[(np.float64(a[name]) ** 2).sum(), ((np.float64(a[name]) - b[name]) ** 2).sum()] for name in names]
    length, difference = np.sqrt(np.sum(squares, 0))
    return difference / length


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.slow("compiles six programs")
def test_two_runs_in_two_modes_do_not_change_each_other(framework):
    """Each computes in its own mode, whichever was made or has trained last."""
    experiment, spec = CELLS["fcn"]

    def trained(precision: str, *others) -> dict[str, np.ndarray]:
        run = runner(experiment, spec, framework, precision=precision)
        for k in range(2):
            for other in (run, *others):
                other.advance(inputs_of(other, SEEDS, k, k + 1))
        return run.leaves()

    for precision, other in (("fp32", "bf16"), ("bf16", "fp32")):
        alone = trained(precision)
        beside = trained(precision, runner(experiment, spec, framework, precision=other))
        for name, value in alone.items():
            np.testing.assert_array_equal(value, beside[name], err_msg=name)
        in_other_mode = trained(other)
        assert any((value != in_other_mode[name]).any() for name, value in alone.items()), "the two modes are one"
