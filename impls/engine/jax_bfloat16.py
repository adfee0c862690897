"""Precision mode bf16 in JAX: the factors of matrix products are rounded to bfloat16, all else stays float32.

Products of bfloat16 numbers are exact in float32, and their sums are in float32. The gradients are such products, too.
The same functions, in the same order, are in `torch_bfloat16.py`.

Shape legend: R replicas, B batch, M rows, K inputs, N outputs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jax import Array, lax

_chosen = False


@contextlib.contextmanager
def chosen(on: bool) -> Iterator[None]:
    """A context in which matrix products and convolutions round their factors to bfloat16 (`on`), or do not."""
    global _chosen
    before, _chosen = _chosen, on
    try:
        yield
    finally:
        _chosen = before


def is_chosen() -> bool:
    """Whether factors are rounded here."""
    return _chosen


def _nearest(x: Array) -> Array:
    """The nearest bfloat16 number. The compiler may remove a conversion to bfloat16 and back, so none is used."""
    return lax.reduce_precision(x, exponent_bits=8, mantissa_bits=7)


@jax.custom_vjp
def rounded(x: Array) -> Array:
    """x rounded to bfloat16, stored as float32; TF32 represents it exactly. The gradient passes unchanged."""
    return _nearest(x)


rounded.defvjp(lambda x: (_nearest(x), None), lambda _, gradient: (gradient,))


@jax.custom_vjp
def with_rounded_gradient(x: Array) -> Array:
    """x itself. Its gradient is rounded, because it is a factor of the next product."""
    return x


with_rounded_gradient.defvjp(lambda x: (x, None), lambda _, gradient: (_nearest(gradient),))


def product(a_RMK: Array, b_RKN: Array) -> Array:
    """One product per replica, of rounded factors: float32 [R, M, N].

    A GPU has an instruction for it. On the CPU the compiler uses a float32 product, so it is as slow as fp32.
    """
    return jnp.matmul(a_RMK.astype(jnp.bfloat16), b_RKN.astype(jnp.bfloat16), preferred_element_type=jnp.float32)


@jax.custom_vjp
def matmul(x_RBK: Array, weight_RKN: Array) -> Array:
    """x W for float32 arrays, [R, B, N]. The factors are rounded, also in the gradients."""
    return product(_nearest(x_RBK), _nearest(weight_RKN))


def _matmul_forward(x_RBK: Array, weight_RKN: Array) -> tuple[Array, tuple[Array, Array]]:
    x_RBK, weight_RKN = _nearest(x_RBK), _nearest(weight_RKN)
    return product(x_RBK, weight_RKN), (x_RBK, weight_RKN)


def _matmul_backward(saved: tuple[Array, Array], gradient_RBN: Array) -> tuple[Array, Array]:
    x_RBK, weight_RKN = saved
    gradient_RBN = _nearest(gradient_RBN)
    return product(gradient_RBN, weight_RKN.mT), product(x_RBK.mT, gradient_RBN)


matmul.defvjp(_matmul_forward, _matmul_backward)
