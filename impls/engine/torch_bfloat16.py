"""Precision mode bf16 in PyTorch: the factors of matrix products are rounded to bfloat16, all else stays float32.

Products of bfloat16 numbers are exact in float32, and their sums are in float32. The gradients are such products, too.
The same functions, in the same order, are in `jax_bfloat16.py`.

Shape legend: R replicas, B batch, M rows, K inputs, N outputs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

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


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.bfloat16().float()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


def rounded(x: Tensor) -> Tensor:
    """x rounded to bfloat16, stored as float32; TF32 represents it exactly. The gradient passes unchanged."""
    return _Rounded.apply(x)


class _RoundedGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.bfloat16().float()


def with_rounded_gradient(x: Tensor) -> Tensor:
    """x itself. Its gradient is rounded, because it is a factor of the next product."""
    return _RoundedGradient.apply(x)


def product(a_RMK: Tensor, b_RKN: Tensor) -> Tensor:
    """One product per replica, of bfloat16 factors: float32 [R, M, N].

    A GPU has an instruction for it. On the CPU the rounded factors are multiplied in float32, as slowly as in fp32.
    """
    if a_RMK.device.type == "cuda":
        return torch.bmm(a_RMK, b_RKN, out_dtype=torch.float32)
    return torch.bmm(a_RMK.float(), b_RKN.float())


class _Matmul(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_RBK: Tensor, weight_RKN: Tensor) -> Tensor:
        x_RBK, weight_RKN = x_RBK.bfloat16(), weight_RKN.bfloat16()
        ctx.save_for_backward(x_RBK, weight_RKN)
        return product(x_RBK, weight_RKN)

    @staticmethod
    def backward(ctx: Any, gradient_RBN: Tensor) -> tuple[Tensor | None, ...]:
        x_RBK, weight_RKN = ctx.saved_tensors
        x_wanted, weight_wanted = ctx.needs_input_grad
        gradient_RBN = gradient_RBN.bfloat16()
        return (
            product(gradient_RBN, weight_RKN.mT) if x_wanted else None,
            product(x_RBK.mT, gradient_RBN) if weight_wanted else None,
        )


def matmul(x_RBK: Tensor, weight_RKN: Tensor) -> Tensor:
    """x W for float32 arrays, [R, B, N]. The factors are rounded, also in the gradients."""
    return _Matmul.apply(x_RBK, weight_RKN)
