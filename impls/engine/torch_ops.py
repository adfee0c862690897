"""The operations of the PyTorch twins: products, convolutions, batch norm, lstm, gradients.

The same functions, in the same order, are in `jax_ops.py`.

Shape legend: R replicas, B batch, K inputs, N outputs, Y and X rows and columns of an image, V and U those of a window,
H hidden units, G gate activations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from impls.engine import torch_bfloat16 as bfloat16
from impls.engine.state import Tree, flatten, unflatten
from impls.engine.torch_onednn import CpuMatmul, is_for_onednn

Arrays = dict[str, Tensor]  # by name; nested ones are a `Tree`


def matmul(x_RBK: Tensor, weight_RKN: Tensor, offset_RBN: Tensor | None = None) -> Tensor:
    """One matrix product per replica, plus an offset [R, B, N] or a bias [R, 1, N]: x W + offset, [R, B, N].

    >>> x_RBK, weight_RKN = torch.tensor([[[1.0, 2.0]], [[1.0, 2.0]]]), torch.tensor([[[1.0], [1.0]], [[10.0], [0.0]]])
    >>> matmul(x_RBK, weight_RKN).tolist()
    [[[3.0]], [[10.0]]]
    """
    if bfloat16.is_chosen():
        product_RBN = bfloat16.matmul(x_RBK, weight_RKN)
        return product_RBN if offset_RBN is None else product_RBN + offset_RBN
    if is_for_onednn(x_RBK, weight_RKN):
        return CpuMatmul.apply(x_RBK, weight_RKN, offset_RBN)
    return torch.bmm(x_RBK, weight_RKN) if offset_RBN is None else torch.baddbmm(offset_RBN, x_RBK, weight_RKN)


def rows(array: Tensor, indices: Tensor) -> Tensor:
    """The rows of an array at the given indices: [n, ...], [R, B] -> [R, B, ...].

    Plain indexing takes ten times as long on the CPU.

    >>> rows(torch.tensor([[1, 2], [3, 4]]), torch.tensor([[1], [0]])).tolist()
    [[[3, 4]], [[1, 2]]]
    """
    return array.index_select(0, indices.flatten()).unflatten(0, indices.shape)


def one_hot(labels_X: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """1 at the place of each label, else 0: [...] -> [..., classes]. (`F.one_hot` reads the maximum on the host.)

    >>> one_hot(torch.tensor([2, 0]), 3, torch.float32).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    return (labels_X[..., None] == torch.arange(classes, device=labels_X.device)).to(dtype)


def _convolve(x_BYXK: Tensor, weight_VUKN: Tensor) -> Tensor:
    """One replica's convolution, channels last: [B, Y, X, N]."""
    weight_NKVU = weight_VUKN.permute(3, 0, 1, 2).contiguous().permute(0, 3, 1, 2)
    y_BNYX = F.conv2d(x_BYXK.permute(0, 3, 1, 2), weight_NKVU, padding=weight_VUKN.shape[0] // 2)
    return y_BNYX.permute(0, 2, 3, 1)


def convolution(x_RBYXK: Tensor, weight_RVUKN: Tensor) -> Tensor:
    """One convolution per replica, with an odd square window and zero padding to the same size: [R, B, Y, X, N].

    The replicas are computed one after the other, because a grouped convolution takes longer (docs/engine.md).
    """
    if bfloat16.is_chosen():
        x_RBYXK, weight_RVUKN = bfloat16.rounded(x_RBYXK), bfloat16.rounded(weight_RVUKN)
    y_RBYXN = torch.stack([_convolve(x, weight) for x, weight in zip(x_RBYXK, weight_RVUKN, strict=True)])
    return bfloat16.with_rounded_gradient(y_RBYXN) if bfloat16.is_chosen() else y_RBYXN


def max_pool(x_RBYXN: Tensor) -> Tensor:
    """Maximum over 3x3 windows at stride 2, padding 1: [R, B, Y, X, N] -> [R, B, ceil(Y/2), ceil(X/2), N]."""
    y = F.max_pool2d(x_RBYXN.flatten(0, 1).permute(0, 3, 1, 2), 3, stride=2, padding=1)
    return y.permute(0, 2, 3, 1).unflatten(0, x_RBYXN.shape[:2])


def average_pool(x_RBYXN: Tensor) -> Tensor:
    """Like `max_pool`, but the mean of the window's nine values, including the zeros of the padding."""
    y = F.avg_pool2d(x_RBYXN.flatten(0, 1).permute(0, 3, 1, 2), 3, stride=2, padding=1)
    return y.permute(0, 2, 3, 1).unflatten(0, x_RBYXN.shape[:2])


class _BatchNorm(torch.autograd.Function):
    """Batch norm with its gradient in closed form, which needs half of autograd's passes over memory.

    With n = (x - mean) / sqrt(variance + epsilon) and g the gradient of the output, the gradients are
        of scale: sum(g n)     of shift: sum(g)     of x: scale / sqrt(variance + epsilon) * (g - mean(g) - n mean(g n))
    """

    @staticmethod
    def forward(ctx: Any, x_RBN: Tensor, scale_R1N: Tensor, shift_R1N: Tensor, epsilon: float) -> tuple[Tensor, ...]:
        mean_R1N = x_RBN.mean(1, keepdim=True)
        n_RBN = x_RBN - mean_R1N
        variance_R1N = (n_RBN * n_RBN).mean(1, keepdim=True)
        factor_R1N = torch.rsqrt(variance_R1N + epsilon)
        n_RBN.mul_(factor_R1N)
        ctx.save_for_backward(n_RBN, factor_R1N, scale_R1N)
        ctx.mark_non_differentiable(mean_R1N, variance_R1N)
        ctx.set_materialize_grads(False)  # else autograd makes zeros for the two, in four more kernels a layer
        return torch.addcmul(shift_R1N, n_RBN, scale_R1N), mean_R1N, variance_R1N

    @staticmethod
    def backward(ctx: Any, gradient_RBN: Tensor, *_statistics: Tensor) -> tuple[Tensor | None, ...]:
        n_RBN, factor_R1N, scale_R1N = ctx.saved_tensors
        batch = gradient_RBN.shape[1]
        shift_gradient_R1N = gradient_RBN.sum(1, keepdim=True)
        scale_gradient_R1N = (gradient_RBN * n_RBN).sum(1, keepdim=True)
        centred_RBN = gradient_RBN - shift_gradient_R1N / batch
        x_gradient_RBN = torch.addcmul(centred_RBN, n_RBN, scale_gradient_R1N, value=-1 / batch)
        return x_gradient_RBN.mul_(scale_R1N * factor_R1N), scale_gradient_R1N, shift_gradient_R1N, None


def batch_norm(
    x_RBN: Tensor, scale_RN: Tensor, shift_RN: Tensor, epsilon: float
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """scale * (x - mean) / sqrt(variance + epsilon) + shift over the batch, with the biased variance.

    Returns:
        The result [R, B, N] and the batch's (mean, variance), each [R, N], detached from the gradient.

    >>> x_RBN, one_RN = torch.tensor([[[1.0], [3.0]]]), torch.tensor([[1.0]])
    >>> [value.tolist() for value in batch_norm(x_RBN, one_RN, 0 * one_RN, epsilon=0.0)[1]]
    [[[2.0]], [[1.0]]]
    """
    output_RBN, mean_R1N, variance_R1N = _BatchNorm.apply(x_RBN, scale_RN[:, None], shift_RN[:, None], epsilon)
    return output_RBN, (mean_R1N[:, 0], variance_R1N[:, 0])


def normalise(
    x_RBN: Tensor, mean_RN: Tensor, variance_RN: Tensor, scale_RN: Tensor, shift_RN: Tensor, epsilon: float
) -> Tensor:
    """Batch norm with given statistics, as in evaluation: [R, B, N]."""
    factor_RN = torch.rsqrt(variance_RN + epsilon) * scale_RN
    return (x_RBN - mean_RN[:, None]) * factor_RN[:, None] + shift_RN[:, None]


class _LstmCell(torch.autograd.Function):
    """The lstm's arithmetic after the matrix products. Its closed-form gradient needs a third of autograd's passes.

    tanh(x) is written as 2 sigmoid(2x) - 1, which differs only in the rounding of numbers near 1. On the CPU PyTorch's
    sigmoid takes a third of the time of its tanh.
    """

    @staticmethod
    def forward(ctx: Any, gates_RBG: Tensor, c_RBH: Tensor) -> tuple[Tensor, Tensor]:
        active_RBG = gates_RBG.clone()
        i, f, o, g = active_RBG.split(c_RBH.shape[-1], -1)
        g.mul_(2)
        active_RBG.sigmoid_()
        g.mul_(2).sub_(1)
        c_new = torch.addcmul(i * g, f, c_RBH)
        tanh_c = torch.sigmoid(2 * c_new).mul_(2).sub_(1)
        ctx.save_for_backward(active_RBG, c_RBH, tanh_c)
        return o * tanh_c, c_new

    @staticmethod
    def backward(ctx: Any, h_gradient: Tensor, c_gradient: Tensor) -> tuple[Tensor, Tensor]:
        active_RBG, c_RBH, tanh_c = ctx.saved_tensors
        hidden = c_RBH.shape[-1]
        i, f, o, g = active_RBG.split(hidden, -1)
        slope_RBG = torch.empty_like(active_RBG)
        gates = active_RBG[..., : 3 * hidden]
        torch.addcmul(gates, gates, gates, value=-1, out=slope_RBG[..., : 3 * hidden])
        c_gradient = torch.addcmul(c_gradient, h_gradient * o, 1 - tanh_c * tanh_c)
        slope_i, slope_f, slope_o, slope_g = slope_RBG.split(hidden, -1)
        slope_i.mul_(g).mul_(c_gradient)
        slope_f.mul_(c_RBH).mul_(c_gradient)
        slope_o.mul_(tanh_c).mul_(h_gradient)
        torch.addcmul(i, i, g * g, value=-1, out=slope_g).mul_(c_gradient)
        return slope_RBG, c_gradient.mul_(f)


def lstm_cell(gates_RBG: Tensor, c_RBH: Tensor, peephole_RP: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(output h, cell state c) of an lstm from its gate activations (Graves 2013, equations 7 to 11).

        c' = sigmoid(f) c + sigmoid(i) tanh(g)          h = sigmoid(o) tanh(c')

    Args:
        gates_RBG: i, f, o, g side by side, [R, B, 4H].
        c_RBH: the previous cell state.
        peephole_RP: peephole weights [R, 3H], of i and f for c and of o for c'; None: no peepholes.

    >>> h_RBH, c_RBH = lstm_cell(torch.zeros((1, 1, 4)), torch.tensor([[[2.0]]]))
    >>> c_RBH.tolist(), round(h_RBH.item(), 4)
    ([[[1.0]]], 0.3808)
    """
    if peephole_RP is None:
        return _LstmCell.apply(gates_RBG, c_RBH)
    i, f, o, g = gates_RBG.chunk(4, -1)
    peephole_i, peephole_f, peephole_o = peephole_RP[:, None].chunk(3, -1)
    i, f = torch.sigmoid(i + peephole_i * c_RBH), torch.sigmoid(f + peephole_f * c_RBH)
    c_RBH = f * c_RBH + i * torch.tanh(g)
    return torch.sigmoid(o + peephole_o * c_RBH) * torch.tanh(c_RBH), c_RBH


def scan(function: Callable, carry: Any, xs: tuple[Tensor, ...], axis: int = 0, unrolled: int = 0) -> tuple[Any, Any]:
    """carry, y <- function(carry, x, ...) for the entries along one axis of every array of `xs`.

    Args:
        unrolled: for JAX, which compiles longer loops as loops; here every loop runs round by round.

    Returns:
        The last carry, and all y along that axis (None if y is None).
    """
    ys = []
    for x in zip(*(x.unbind(axis) for x in xs), strict=True):
        carry, y = function(carry, *x)
        ys.append(y)
    return carry, None if ys[0] is None else torch.stack(ys, axis)


def vjp(
    function: Callable,
    parameters: Tree,
    x: Tensor,
    *constants: object,
    input_gradient: bool = True,
    has_aux: bool = False,
) -> tuple:
    """Run `function(parameters, x, *constants)` and keep what is needed for its local gradient.

    Nothing reaches beyond this one call: the graph starts at `parameters` and `x` and ends at the output. So a layer
    can be updated before the layers above it have run.

    Args:
        input_gradient: False if the gradient of x is not needed; it is then None.
        has_aux: whether the function returns (output, auxiliary); only the output is differentiated.

    Returns:
        (output, pullback), or (output, pullback, auxiliary). The output is an array or a tuple of arrays.
        `pullback(output's gradient)` gives (the tree of all parameters' gradients, x's gradient), and with
        `input_only=True` no gradient of the parameters.

    >>> output, pullback = vjp(lambda parameters, x: parameters["w"] * x, {"w": torch.tensor(3.0)}, torch.tensor(2.0))
    >>> parameter_gradients, x_gradient = pullback(torch.tensor(1.0))
    >>> output.item(), parameter_gradients["w"].item(), x_gradient.item()
    (6.0, 2.0, 3.0)
    """
    with torch.enable_grad():
        leaves = {name: value.detach().requires_grad_() for name, value in flatten(parameters).items()}
        x = x.detach().requires_grad_(input_gradient)
        result = function(unflatten(leaves), x, *constants)
        output, *auxiliary = result if has_aux else (result,)

    def pullback(output_gradient: Tensor | tuple[Tensor, ...], input_only: bool = False) -> tuple[Tree, Tensor | None]:
        own = {} if input_only else leaves
        wanted = [*own.values(), *([x] if input_gradient else [])]
        gradients = torch.autograd.grad(output, wanted, output_gradient, retain_graph=True)  # it may be called again
        own_gradients = unflatten(dict(zip(own, gradients, strict=False)))
        return own_gradients, gradients[-1] if input_gradient else None

    detached = tuple(y.detach() for y in output) if isinstance(output, tuple) else output.detach()
    return detached, pullback, *auxiliary


def scaled(tree: Tree, divisor: float) -> Tree:
    """Every array of a tree, divided; on a GPU in one kernel."""
    leaves = flatten(tree)
    return unflatten(dict(zip(leaves, torch._foreach_div(list(leaves.values()), divisor), strict=True)))


def masked(tree: Tree, chosen_R: Tensor) -> Tree:
    """Every array [R, ...] of a tree, with zeros in the replicas that are not chosen."""
    chosen = {name: chosen_R.reshape(-1, *[1] * (value.ndim - 1)) for name, value in flatten(tree).items()}
    return unflatten({name: value.where(chosen[name], 0) for name, value in flatten(tree).items()})


def added(tree: Tree, other: Tree) -> Tree:
    """The sums of the arrays of two trees with the same names."""
    others = flatten(other)
    return unflatten({name: value + others[name] for name, value in flatten(tree).items()})


def average_towards(averages: Tree, values: Tree, decay: float) -> None:
    """average <- decay average + (1 - decay) value for the arrays of `values`, in place; on a GPU in one kernel."""
    own, leaves = flatten(averages), flatten(values)
    torch._foreach_lerp_([own[name] for name in leaves], list(leaves.values()), 1 - decay)
