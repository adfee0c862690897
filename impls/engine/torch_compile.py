"""A recorded step as a compiled program: PyTorch's compiler fuses the operations between two matrix products.

It gets the list of operations that `make_fx` records. On the CPU it writes C++, and on a GPU Triton. Operations that it
refuses, or would run with a slower library, are replaced at the recording (`REPLACED`). The arithmetic is the same,
except for the order of sums.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch._guards import TracingContext, tracing
from torch._subclasses import FakeTensorMode

TRIES = 2
# The engine captures the whole step itself. Layouts are those of the first call, so no call needs to check them.
OPTIONS = {"triton.cudagraphs": False, "size_asserts": False, "alignment_asserts": False}


def has_compiler(device: str) -> bool:
    """Whether PyTorch's compiler is switched on and finds what it needs: a C++ compiler ($CXX or g++), or Triton."""
    if any(os.environ.get(name) == "1" for name in ("TORCH_COMPILE_DISABLE", "TORCHDYNAMO_DISABLE")):
        return False
    if device == "cuda":
        return importlib.util.find_spec("triton") is not None
    return shutil.which(os.environ.get("CXX", "g++")) is not None


def can_be_compiled(program: fx.GraphModule) -> bool:
    """False with convolutions: the compiler gets the layout of some results wrong, and would gain little."""
    return all(node.target is not torch.ops.aten.convolution.default for node in program.graph.nodes)


def compiled(
    program: fx.GraphModule, arguments: Sequence[Tensor], otherwise: Callable[..., object]
) -> Callable[..., object]:
    """The program, recorded with `REPLACED`, compiled for these arguments and run once; `otherwise` if this fails.

    Without `torch.compile`, which compares all arguments with those of the first call, 0.15 ms in every step. Like
    `torch.compile` it is given an environment of shapes, without which the compiler would not keep the program on disk:
    a run of the same program, or a resumed one, starts ten seconds sooner. The shapes are fixed nevertheless.

    It is tried twice: a stop signal to all processes of a job, as a cluster sends it, also ends the C++ compiler. The
    steps before the stop would then be computed with other rounding.
    """
    from torch import _inductor  # takes two seconds, which short runs save
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    fixed_shapes = FakeTensorMode(static_shapes=True, shape_env=ShapeEnv())
    for _ in range(TRIES):
        try:
            with tracing(TracingContext(fixed_shapes)):
                fast = _inductor.compile(program, [*arguments], options=OPTIONS)
            fast(*arguments)
        except RuntimeError as error:  # the compiler's own errors, and Triton's
            reason = str(error).strip().splitlines()[0]
        else:
            return fast
    warnings.warn(f"PyTorch's compiler failed, so this run continues without it, slower: {reason}", stacklevel=2)
    return otherwise


def _product(a_MK: Tensor, b_NK: Tensor, bias_N: Tensor | None, *_unused: object) -> Tensor:
    return torch.ops.dni.product(a_MK, b_NK, bias_N)


def _product_and_offset(a_MK: Tensor, offset_MN: Tensor, b_NK: Tensor, *_unused: object) -> Tensor:
    return torch.ops.dni.product_and_offset(a_MK, b_NK, offset_MN)


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
    """Replaces `torch._fused_adam_`, which the compiler does not support. `torch_adam` has the equation."""
    count = counts[0].double()  # like the fused kernel: in float32, 1 - beta^t first has half of the digits
    mean_correction, square_correction = 1 - beta1**count, 1 - beta2**count
    for parameter, gradient, mean, square in zip(parameters, gradients, means, squares, strict=True):
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        parameter.sub_(lr / mean_correction * mean / ((square / square_correction).sqrt() + eps))


def _addcmul_out(a: Tensor, b: Tensor, c: Tensor, *, value: float = 1, out: Tensor) -> Tensor:
    return out.copy_(torch.addcmul(a, b, c, value=value))  # the compiler refuses to write into a part of an array


def _power(base: float, exponent: Tensor) -> Tensor:
    return NotImplemented if exponent.is_cuda else torch.ops.dni.power(base, exponent)


REPLACED: dict[Any, Callable[..., Any]] = {
    torch.ops.aten._fused_adam_.tensor_lr: _adam,
    torch.ops.aten.addcmul.out: _addcmul_out,
    torch.ops.aten.pow.Scalar: _power,
}
# Adam's d^t under a new name: under its own name, the C++ that fuses it computes it again for every few parameters.
torch.library.define("dni::power", "(Scalar base, Tensor exponent) -> Tensor")
torch.library.impl("dni::power", "CPU", torch.ops.aten.pow.Scalar)
torch.library.register_fake("dni::power", lambda base, exponent: torch.empty_like(exponent))

if torch.backends.mkldnn.is_available():
    # oneDNN's product under new names: under its own name the compiler assumes weights that never change.
    linear = torch.ops.mkldnn._linear_pointwise
    torch.library.define("dni::product", "(Tensor a, Tensor b, Tensor? bias) -> Tensor")
    torch.library.define("dni::product_and_offset", "(Tensor a, Tensor b, Tensor offset) -> Tensor")
    torch.library.impl("dni::product", "CPU", lambda a, b, bias: linear(a, b, bias, "none", [], ""))
    torch.library.impl("dni::product_and_offset", "CPU", lambda a, b, offset: linear.binary(a, offset, b, None, "add"))
    torch.library.register_fake("dni::product", lambda a, b, bias: a.new_empty(len(a), len(b)))
    torch.library.register_fake("dni::product_and_offset", lambda a, b, offset: a.new_empty(len(a), len(b)))
    REPLACED |= {linear.default: _product, linear.binary: _product_and_offset}
