"""The operations of the JAX twins: products, convolutions, batch norm, lstm, gradients.

The same functions, in the same order, are in `torch_ops.py`.

Shape legend: R replicas, B batch, K inputs, N outputs, Y and X rows and columns of an image, V and U those of a window,
H hidden units, G gate activations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from impls.engine import jax_bfloat16 as bfloat16
from impls.engine.state import Tree, flatten, unflatten

Arrays = dict[str, Array]  # by name; nested ones are a `Tree`


def matmul(x_RBK: Array, weight_RKN: Array, offset_RBN: Array | None = None) -> Array:
    """One matrix product per replica, plus an offset [R, B, N] or a bias [R, 1, N]: x W + offset, [R, B, N].

    >>> x_RBK, weight_RKN = jnp.array([[[1.0, 2.0]], [[1.0, 2.0]]]), jnp.array([[[1.0], [1.0]], [[10.0], [0.0]]])
    >>> matmul(x_RBK, weight_RKN).tolist()
    [[[3.0]], [[10.0]]]
    """
    product_RBN = bfloat16.matmul(x_RBK, weight_RKN) if bfloat16.is_chosen() else jnp.matmul(x_RBK, weight_RKN)
    return product_RBN if offset_RBN is None else product_RBN + offset_RBN


def rows(array: Array, indices: Array) -> Array:
    """The rows of an array at the given indices: [n, ...], [R, B] -> [R, B, ...].

    >>> rows(jnp.array([[1, 2], [3, 4]]), jnp.array([[1], [0]])).tolist()
    [[[3, 4]], [[1, 2]]]
    """
    return array[indices]


def one_hot(labels_X: Array, classes: int, dtype: jnp.dtype) -> Array:
    """1 at the place of each label, else 0: [...] -> [..., classes].

    >>> one_hot(jnp.array([2, 0]), 3, jnp.float32).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    return jax.nn.one_hot(labels_X, classes, dtype=dtype)


@jax.custom_vjp
def _convolve(x_BYXK: Array, weight_VUKN: Array) -> Array:
    """One replica's convolution. Its gradients are written as convolutions of the same form.

    The gradients that JAX derives have other layouts. Inside a loop, XLA's CPU backend runs these ten times slower.
    """
    return _conv2d(x_BYXK, weight_VUKN, weight_VUKN.shape[0] // 2)


def _conv2d(x_BYXK: Array, window_VUKN: Array, padding: int) -> Array:
    sides = [(padding, padding)] * 2
    return lax.conv_general_dilated(x_BYXK, window_VUKN, (1, 1), sides, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _convolve_forward(x_BYXK: Array, weight_VUKN: Array) -> tuple[Array, tuple[Array, Array]]:
    return _convolve(x_BYXK, weight_VUKN), (x_BYXK, weight_VUKN)


def _convolve_backward(saved: tuple[Array, Array], gradient_BYXN: Array) -> tuple[Array, Array]:
    x_BYXK, weight_VUKN = saved
    x_gradient_BYXK = _convolve(gradient_BYXN, weight_VUKN[::-1, ::-1].swapaxes(2, 3))
    # The gradient of the weight sums over examples, so examples and channels change places.
    padding = weight_VUKN.shape[0] // 2
    weight_gradient_KVUN = _conv2d(x_BYXK.transpose(3, 1, 2, 0), gradient_BYXN.transpose(1, 2, 0, 3), padding)
    return x_gradient_BYXK, weight_gradient_KVUN.transpose(1, 2, 0, 3)


_convolve.defvjp(_convolve_forward, _convolve_backward)


def convolution(x_RBYXK: Array, weight_RVUKN: Array) -> Array:
    """One convolution per replica, with an odd square window and zero padding to the same size: [R, B, Y, X, N].

    They are separate operations, because XLA's grouped convolution is ten times slower (docs/engine.md).
    """
    if bfloat16.is_chosen():
        x_RBYXK, weight_RVUKN = bfloat16.rounded(x_RBYXK), bfloat16.rounded(weight_RVUKN)
    y_RBYXN = jnp.stack([_convolve(x, weight) for x, weight in zip(x_RBYXK, weight_RVUKN, strict=True)])
    return bfloat16.with_rounded_gradient(y_RBYXN) if bfloat16.is_chosen() else y_RBYXN


def max_pool(x_RBYXN: Array) -> Array:
    """Maximum over 3x3 windows at stride 2, padding 1: [R, B, Y, X, N] -> [R, B, ceil(Y/2), ceil(X/2), N]."""
    for axis in (2, 3):
        left, middle, right = _windows(x_RBYXN, axis, -jnp.inf)
        x_RBYXN = jnp.maximum(jnp.maximum(left, middle), right)
    return x_RBYXN


def average_pool(x_RBYXN: Array) -> Array:
    """Like `max_pool`, but the mean of the window's nine values, including the zeros of the padding."""
    for axis in (2, 3):
        left, middle, right = _windows(x_RBYXN, axis, 0)
        x_RBYXN = (left + middle + right) / 3
    return x_RBYXN


def _windows(x: Array, axis: int, padding: float) -> list[Array]:
    """The three shifted views along one axis. Their gradient takes a quarter of the time of `reduce_window`'s."""
    padded = jnp.pad(x, [(1, 1) if a == axis else (0, 0) for a in range(x.ndim)], constant_values=padding)
    last = (x.shape[axis] - 1) // 2 * 2
    return [lax.slice_in_dim(padded, shift, shift + last + 1, 2, axis) for shift in range(3)]


def batch_norm(x_RBN: Array, scale_RN: Array, shift_RN: Array, epsilon: float) -> tuple[Array, tuple[Array, Array]]:
    """scale * (x - mean) / sqrt(variance + epsilon) + shift over the batch, with the biased variance.

    Returns:
        The result [R, B, N] and the batch's (mean, variance), each [R, N], detached from the gradient.

    >>> x_RBN, one_RN = jnp.array([[[1.0], [3.0]]]), jnp.array([[1.0]])
    >>> [value.tolist() for value in batch_norm(x_RBN, one_RN, 0 * one_RN, epsilon=0.0)[1]]
    [[[2.0]], [[1.0]]]
    """
    mean_R1N = x_RBN.mean(1, keepdims=True)
    centred_RBN = x_RBN - mean_R1N
    variance_R1N = (centred_RBN * centred_RBN).mean(1, keepdims=True)
    factor_R1N = lax.rsqrt(variance_R1N + epsilon) * scale_RN[:, None]
    return centred_RBN * factor_R1N + shift_RN[:, None], lax.stop_gradient((mean_R1N[:, 0], variance_R1N[:, 0]))


def normalise(
    x_RBN: Array, mean_RN: Array, variance_RN: Array, scale_RN: Array, shift_RN: Array, epsilon: float
) -> Array:
    """Batch norm with given statistics, as in evaluation: [R, B, N]."""
    factor_RN = lax.rsqrt(variance_RN + epsilon) * scale_RN
    return (x_RBN - mean_RN[:, None]) * factor_RN[:, None] + shift_RN[:, None]


def lstm_cell(gates_RBG: Array, c_RBH: Array, peephole_RP: Array | None = None) -> tuple[Array, Array]:
    """(output h, cell state c) of an lstm from its gate activations (Graves 2013, equations 7 to 11).

        c' = sigmoid(f) c + sigmoid(i) tanh(g)          h = sigmoid(o) tanh(c')

    Args:
        gates_RBG: i, f, o, g side by side, [R, B, 4H].
        c_RBH: the previous cell state.
        peephole_RP: peephole weights [R, 3H], of i and f for c and of o for c'; None: no peepholes.

    >>> h_RBH, c_RBH = lstm_cell(jnp.zeros((1, 1, 4)), jnp.array([[[2.0]]]))
    >>> c_RBH.tolist(), round(h_RBH.item(), 4)
    ([[[1.0]]], 0.3808)
    """
    i, f, o, g = jnp.split(gates_RBG, 4, -1)
    if peephole_RP is not None:
        peephole_i, peephole_f, peephole_o = jnp.split(peephole_RP[:, None], 3, -1)
        i, f = i + peephole_i * c_RBH, f + peephole_f * c_RBH
    c_RBH = jax.nn.sigmoid(f) * c_RBH + jax.nn.sigmoid(i) * jnp.tanh(g)
    if peephole_RP is not None:
        o = o + peephole_o * c_RBH
    return jax.nn.sigmoid(o) * jnp.tanh(c_RBH), c_RBH


def scan(function: Callable, carry: Any, xs: tuple[Array, ...], axis: int = 0, unrolled: int = 0) -> tuple[Any, Any]:
    """carry, y <- function(carry, x, ...) for the entries along one axis of every array of `xs`.

    Args:
        unrolled: a loop of at most so many rounds is compiled round by round. XLA's CPU backend runs a short loop
            faster so, but a long one in quadratic time (docs/engine.md).

    Returns:
        The last carry, and all y along that axis (None if y is None).
    """
    if xs[0].shape[axis] > unrolled:
        moved = tuple(jnp.moveaxis(x, axis, 0) for x in xs)
        carry, stacked = lax.scan(lambda carry, x: function(carry, *x), carry, moved)
        return carry, None if stacked is None else jnp.moveaxis(stacked, 0, axis)
    ys = []
    for x in zip(*(jnp.unstack(x, axis=axis) for x in xs), strict=True):
        carry, y = function(carry, *x)
        ys.append(y)
    return carry, None if ys[0] is None else jnp.stack(ys, axis)


def vjp(
    function: Callable,
    parameters: Tree,
    x: Array,
    *constants: object,
    input_gradient: bool = True,
    has_aux: bool = False,
) -> tuple:
    """Run `function(parameters, x, *constants)` and keep what is needed for its local gradient.

    Nothing reaches beyond this one call: the gradient starts at `parameters` and `x` and ends at the output. So a layer
    can be updated before the layers above it have run.

    Args:
        input_gradient: False if the gradient of x is not needed; it is then None.
        has_aux: whether the function returns (output, auxiliary); only the output is differentiated.

    Returns:
        (output, pullback), or (output, pullback, auxiliary). The output is an array or a tuple of arrays.
        `pullback(output's gradient)` gives (the tree of all parameters' gradients, x's gradient), and with
        `input_only=True` no gradient of the parameters.

    >>> output, pullback = vjp(lambda parameters, x: parameters["w"] * x, {"w": jnp.array(3.0)}, jnp.array(2.0))
    >>> parameter_gradients, x_gradient = pullback(jnp.array(1.0))
    >>> output.item(), parameter_gradients["w"].item(), x_gradient.item()
    (6.0, 2.0, 3.0)
    """
    wanted: tuple = (parameters, x) if input_gradient else (parameters,)
    differentiated: Any = jax.vjp(  # type: ignore[call-overload]  # has_aux is not a literal
        lambda parameters, x=x: function(parameters, x, *constants), *wanted, has_aux=has_aux
    )
    output, vector_product, *auxiliary = differentiated

    def pullback(output_gradient: Array | tuple[Array, ...], input_only: bool = False) -> tuple[Tree, Array | None]:
        parameter_gradients, *x_gradient = vector_product(output_gradient)
        # The compiler removes computations whose result is not returned.
        return {} if input_only else parameter_gradients, x_gradient[0] if x_gradient else None

    return output, pullback, *auxiliary


def scaled(tree: Tree, divisor: float) -> Tree:
    """Every array of a tree, divided."""
    return jax.tree.map(lambda value: value / divisor, tree)


def masked(tree: Tree, chosen_R: Array) -> Tree:
    """Every array [R, ...] of a tree, with zeros in the replicas that are not chosen."""
    return jax.tree.map(lambda value: jnp.where(chosen_R.reshape(-1, *[1] * (value.ndim - 1)), value, 0), tree)


def added(tree: Tree, other: Tree) -> Tree:
    """The sums of the arrays of two trees with the same names."""
    return jax.tree.map(jnp.add, tree, other)


def average_towards(averages: Tree, values: Tree, decay: float) -> Tree:
    """average <- decay average + (1 - decay) value for the arrays of `values`; returns all averages."""
    own = flatten(averages)
    for name, value in flatten(values).items():
        own[name] = own[name] + (1 - decay) * (value - own[name])
    return unflatten(own)
