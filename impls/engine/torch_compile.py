"""A recorded step as a compiled program: PyTorch's compiler makes loops of what lies between two matrix products.

It gets the list of operations that `make_fx` records on the CPU. Those that it refuses, or would leave to a slower
library, are replaced as they are recorded (`REPLACED`). The arithmetic is the step's own but for the order of sums.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx
from torch._dynamo.exc import TorchDynamoException

# A product of fewer multiply-adds goes to PyTorch's own library, which compiled code calls without Python in between.
SMALL_PRODUCT = 300_000


def has_compiler() -> bool:
    """Whether there is a C++ compiler, which PyTorch's needs beneath it: $CXX, or g++."""
    return shutil.which(os.environ.get("CXX", "g++")) is not None


def can_be_compiled(program: fx.GraphModule) -> bool:
    """False with convolutions: the compiler mistakes the layout of some results, and has little to gain beside them."""
    return all(node.target is not torch.ops.aten.convolution.default for node in program.graph.nodes)


def compiled(program: fx.GraphModule, arguments: tuple, otherwise: fx.GraphModule) -> Callable[..., None]:
    """The program, recorded with `REPLACED`, compiled for such arguments and run on them; `otherwise` if that fails."""
    fast = torch.compile(program, fullgraph=True, dynamic=False)
    try:
        fast(*arguments)
    except TorchDynamoException as error:
        reason = str(error).strip().splitlines()[0]
        warnings.warn(f"PyTorch's compiler failed, so this run goes on without it, slower: {reason}", stacklevel=2)
        return otherwise
    return fast


def _product(a_MK: Tensor, b_NK: Tensor, bias_N: Tensor | None, *_unused: object) -> Tensor:
    if a_MK.numel() * len(b_NK) > SMALL_PRODUCT:
        return torch.ops.dni.product(a_MK, b_NK, bias_N)
    return torch.mm(a_MK, b_NK.t()) if bias_N is None else torch.addmm(bias_N, a_MK, b_NK.t())


def _product_and_offset(a_MK: Tensor, offset_MN: Tensor, b_NK: Tensor, *_unused: object) -> Tensor:
    if a_MK.numel() * len(b_NK) > SMALL_PRODUCT:
        return torch.ops.dni.product_and_offset(a_MK, b_NK, offset_MN)
    return torch.addmm(offset_MN, a_MK, b_NK.t())


def _adam(
    parameters: list[Tensor],
    gradients: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    _largest: list[Tensor],
    counts: list[Tensor],
    *,
    lr: Tensor,
    beta1: float,
    beta2: float,
    eps: float,
    **_switched_off: object,
) -> None:
    """`torch._fused_adam_`, which the compiler does not know: equation and letters are in `torch_adam`."""
    count = counts[0].double()  # as the fused kernel has it: in float32, 1 - beta^t starts with half of the digits
    mean_correction, square_correction = 1 - beta1**count, 1 - beta2**count
    for parameter, gradient, mean, square in zip(parameters, gradients, means, squares, strict=True):
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        parameter.sub_(lr / mean_correction * mean / ((square / square_correction).sqrt() + eps))


def _addcmul_out(a: Tensor, b: Tensor, c: Tensor, *, value: float = 1, out: Tensor) -> Tensor:
    return out.copy_(torch.addcmul(a, b, c, value=value))  # the compiler refuses to write into a part of an array


REPLACED: dict[Any, Callable[..., Any]] = {
    torch.ops.aten._fused_adam_.tensor_lr: _adam,
    torch.ops.aten.addcmul.out: _addcmul_out,
}

if torch.backends.mkldnn.is_available():
    # oneDNN's product, behind names of our own: by its own name the compiler takes it for weights that never change.
    linear = torch.ops.mkldnn._linear_pointwise
    torch.library.define("dni::product", "(Tensor a, Tensor b, Tensor? bias) -> Tensor")
    torch.library.define("dni::product_and_offset", "(Tensor a, Tensor b, Tensor offset) -> Tensor")
    torch.library.impl("dni::product", "CPU", lambda a, b, bias: linear(a, b, bias, "none", [], ""))
    torch.library.impl("dni::product_and_offset", "CPU", lambda a, b, offset: linear.binary(a, offset, b, None, "add"))
    torch.library.register_fake("dni::product", lambda a, b, bias: a.new_empty(len(a), len(b)))
    torch.library.register_fake("dni::product_and_offset", lambda a, b, offset: a.new_empty(len(a), len(b)))
    REPLACED |= {linear.default: _product, linear.binary: _product_and_offset}
