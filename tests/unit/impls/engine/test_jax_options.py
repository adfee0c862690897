"""The options that JAX's engine gives to XLA on the CPU."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from impls.engine import jax_engine, jax_ops
from impls.registry import spec_class
from tests.support.harness import SEEDS, inputs_of, runner

LIBRARY = "__ynn_fusion"


@pytest.fixture(autouse=True)
def asked_anew():
    yield
    jax_engine.compiler_options.cache_clear()


def program(function, *shapes: tuple[int, ...], **options) -> str:
    return jax.jit(function, **options).lower(*map(jnp.ones, shapes)).compile().as_text()


def column_sums(x_RBN):
    return (x_RBN * x_RBN).sum(1)


@pytest.mark.parametrize(
    ("function", "shapes", "by_the_library"),
    [
        (jax_ops.matmul, [(1, 256, 256), (1, 256, 256)], True),
        (jax_ops.convolution, [(1, 256, 14, 14, 64), (1, 5, 5, 64, 64)], False),
        (column_sums, [(1, 4096, 64)], False),
    ],
)
def test_the_library_gets_products_alone(function, shapes, by_the_library):
    if LIBRARY not in program(function, *shapes):
        pytest.skip("this version of XLA does not use the library for it, asked or not")
    options = jax_engine.compiler_options("cpu")
    assert (LIBRARY in program(function, *shapes, compiler_options=options)) == by_the_library


def test_a_launch_hands_over_its_products_and_nothing_else():
    spec = spec_class("feedforward").tiny(method="bprop", batch_size=256, hidden_units=256)
    run = runner("feedforward", spec, "jax", precision="fp32")
    run.advance(inputs_of(run, SEEDS, 0, 1))
    (launch,) = run.programs.launches.values()
    handed_over = [line for line in launch.as_text().splitlines() if LIBRARY in line]
    if not handed_over:
        pytest.skip("this version of XLA does not use the library, asked or not")
    assert all('/dot_general"' in line for line in handed_over)


def test_a_gpu_is_asked_for_nothing():
    assert jax_engine.compiler_options("cuda") == {}


def test_an_option_that_xla_refuses_costs_a_warning(monkeypatch):
    refusing = jax.jit

    def jit(function, compiler_options):
        return refusing(function, compiler_options={"xla_no_such_option": "1"})

    jax_engine.compiler_options.cache_clear()
    monkeypatch.setattr(jax, "jit", jit)
    with pytest.warns(UserWarning, match="continues without it.*xla_no_such_option"):
        assert jax_engine.compiler_options("cpu") == {}
