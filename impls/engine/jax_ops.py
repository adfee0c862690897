"""What the JAX twins are written with: matrix products and batch norm over replicas, local gradients, Adam.

The same functions, in the same order, stand in `torch_ops.py`. Shape legend: R replicas, B batch, K inputs, N outputs.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

Arrays = dict[str, Array]


def matmul(x_RBK: Array, weight_RKN: Array) -> Array:
    """One matrix product per replica: [R, B, K] x [R, K, N] -> [R, B, N]."""
    return jnp.matmul(x_RBK, weight_RKN)


def batch_norm(x_RBN: Array, scale_RN: Array, shift_RN: Array, epsilon: float) -> tuple[Array, tuple[Array, Array]]:
    """scale * (x - mean) / sqrt(variance + epsilon) + shift over the batch, with the biased variance.

    Returns:
        The result [R, B, N] and the batch's (mean, variance), each [R, N], cut from the gradient.
    """
    mean_R1N = x_RBN.mean(1, keepdims=True)
    centred_RBN = x_RBN - mean_R1N
    variance_R1N = (centred_RBN * centred_RBN).mean(1, keepdims=True)
    factor_R1N = lax.rsqrt(variance_R1N + epsilon) * scale_RN[:, None]
    return centred_RBN * factor_R1N + shift_RN[:, None], lax.stop_gradient((mean_R1N[:, 0], variance_R1N[:, 0]))


def normalise(
    x_RBN: Array, mean_RN: Array, variance_RN: Array, scale_RN: Array, shift_RN: Array, epsilon: float
) -> Array:
    """Batch norm with given statistics, as evaluation uses it: [R, B, N]."""
    factor_RN = lax.rsqrt(variance_RN + epsilon) * scale_RN
    return (x_RBN - mean_RN[:, None]) * factor_RN[:, None] + shift_RN[:, None]


def vjp(
    function: Callable, parameters: Arrays, x: Array, *constants: object, input_gradient: bool = True
) -> tuple[Array, object, Callable[[Array], tuple[Arrays, Array | None]]]:
    """Run `function(parameters, x, *constants)` -> (output, auxiliary) and keep what its local gradient needs.

    Nothing reaches beyond this one call: the gradient starts at `parameters` and `x` and ends at the output, which is
    what lets a layer be updated before the layers above it have run.

    Args:
        input_gradient: False where the gradient of x is not wanted; it is then not computed and comes back as None.

    Returns:
        (output, auxiliary, pullback); `pullback(output's gradient)` gives (every parameter's gradient, x's gradient).
    """
    wanted = (parameters, x) if input_gradient else (parameters,)
    output, vector_product, auxiliary = jax.vjp(
        lambda parameters, x=x: function(parameters, x, *constants), *wanted, has_aux=True
    )

    def pullback(output_gradient: Array) -> tuple[Arrays, Array | None]:
        parameter_gradients, *x_gradient = vector_product(output_gradient)
        return parameter_gradients, x_gradient[0] if x_gradient else None

    return output, auxiliary, pullback


def adam_init(parameters: Arrays) -> dict[str, Arrays | Array]:
    """Zero means and squares for every parameter, and the count of updates, on the parameters' device."""
    return {
        "mean": {name: jnp.zeros_like(value) for name, value in parameters.items()},
        "square": {name: jnp.zeros_like(value) for name, value in parameters.items()},
        "count": jnp.zeros(()),
    }


def adam(
    adam_state: dict,
    parameters: Arrays,
    gradients: Arrays,
    learning_rate: Array,
    decays: tuple[float, float],
    epsilon: float,
) -> tuple[dict, Arrays]:
    """One update of Adam (Kingma & Ba 2015, algorithm 1), epsilon outside the root.

        mean <- d1 mean + (1 - d1) g          square <- d2 square + (1 - d2) g^2
        parameter <- parameter - learning_rate * (mean / (1 - d1^t)) / (sqrt(square / (1 - d2^t)) + epsilon)

    Parameters without a gradient stay as they are.

    Returns:
        The new Adam state and the new parameters.
    """
    count = adam_state["count"] + 1
    mean, square, updated = dict(adam_state["mean"]), dict(adam_state["square"]), dict(parameters)
    mean_correction, square_correction = 1 - decays[0] ** count, 1 - decays[1] ** count
    for name, gradient in gradients.items():
        mean[name] = decays[0] * mean[name] + (1 - decays[0]) * gradient
        square[name] = decays[1] * square[name] + (1 - decays[1]) * gradient * gradient
        denominator = jnp.sqrt(square[name] / square_correction) + epsilon
        updated[name] = parameters[name] - learning_rate * (mean[name] / mean_correction) / denominator
    return {"mean": mean, "square": square, "count": count}, updated
