"""Matrix products of the PyTorch twins on the CPU, by oneDNN.

Shape legend: R replicas, B batch, M rows, K inputs, N outputs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# A product with fewer multiply-adds is MKL's, because a call of oneDNN takes 20 microseconds more, however small it is.
LEAST_PRODUCT = 1_500_000


def is_for_onednn(x_RBK: Tensor, weight_RKN: Tensor) -> bool:
    """Whether oneDNN is the faster library for a product: on the CPU, in float32, of large enough matrices."""
    is_large = x_RBK.shape[1] * weight_RKN.shape[1] * weight_RKN.shape[2] >= LEAST_PRODUCT
    on_cpu = x_RBK.device.type == "cpu" and x_RBK.dtype == torch.float32
    return is_large and on_cpu and torch.backends.mkldnn.is_available()


class CpuMatmul(torch.autograd.Function):
    """Matrix products in float32 on the CPU by oneDNN, one per replica; an offset is added in the same pass.

    `torch.matmul` uses MKL, which with large matrices reaches half of the speed on processors that are not Intel's
    (measured in docs/engine.md). oneDNN's product with a transposed weight is the same sum of products.
    """

    @staticmethod
    def forward(ctx: Any, x_RBK: Tensor, weight_RKN: Tensor, offset_RBN: Tensor | None) -> Tensor:
        ctx.save_for_backward(x_RBK, weight_RKN)
        ctx.is_bias = offset_RBN is not None and offset_RBN.shape[1] == 1
        return _onednn_matmul(x_RBK, weight_RKN, offset_RBN)

    @staticmethod
    def backward(ctx: Any, gradient_RBN: Tensor) -> tuple[Tensor | None, ...]:
        x_RBK, weight_RKN = ctx.saved_tensors
        x_wanted, weight_wanted, offset_wanted = ctx.needs_input_grad
        offset_gradient = gradient_RBN.sum(1, keepdim=True) if ctx.is_bias and offset_wanted else gradient_RBN
        return (
            _onednn_matmul(gradient_RBN, weight_RKN.mT) if x_wanted else None,
            _onednn_matmul(x_RBK.mT, gradient_RBN) if weight_wanted else None,
            offset_gradient if offset_wanted else None,
        )


def _onednn_matmul(a_RMK: Tensor, b_RKN: Tensor, offset_RMN: Tensor | None = None) -> Tensor:
    linear = torch.ops.mkldnn._linear_pointwise
    if offset_RMN is None:
        products = [linear(a, b.mT, None, "none", [], "") for a, b in zip(a_RMK, b_RKN, strict=True)]
    elif offset_RMN.shape[1] == 1:
        each = zip(a_RMK, b_RKN, offset_RMN, strict=True)
        products = [linear(a, b.mT, bias[0], "none", [], "") for a, b, bias in each]
    else:
        each = zip(a_RMK, b_RKN, offset_RMN, strict=True)
        products = [linear.binary(a, offset, b.mT, None, "add") for a, b, offset in each]
    return products[0][None] if len(products) == 1 else torch.stack(products)  # a stack of one would copy it
