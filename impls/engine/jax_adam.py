"""Adam in JAX, for all replicas at once (Kingma & Ba 2015, algorithm 1; the paper's reference [26]).

The same functions, in the same order, are in `torch_adam.py`. Parameters, gradients and moments are trees of arrays
with a leading replica axis R. Parameters without a gradient stay unchanged.

    m <- d1 m + (1 - d1) g          v <- d2 v + (1 - d2) g^2
    parameter <- parameter - learning_rate * (m / (1 - d1^t)) / (sqrt(v / (1 - d2^t)) + epsilon)

with the gradient g, the decays (d1, d2), and the count of updates t.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from impls.engine.state import Tree, flatten, unflatten


def adam_init(parameters: Tree) -> Tree:
    """Zero moments m and v of every parameter, and the count t of updates, on the parameters' device."""
    leaves = flatten(parameters)
    return {
        "m": unflatten({name: jnp.zeros_like(value) for name, value in leaves.items()}),
        "v": unflatten({name: jnp.zeros_like(value) for name, value in leaves.items()}),
        "t": jnp.zeros(()),
    }


def adam(
    adam_state: Tree,
    parameters: Tree,
    gradients: Tree,
    learning_rate: Array,
    decays: tuple[float, float],
    epsilon: float,
) -> tuple[Tree, Tree]:
    """One update; epsilon is added outside the root.

    Returns:
        The new Adam state and the new parameters.

    The first update moves every parameter by the learning rate, against its gradient's sign:

    >>> parameters, gradients = {"w": jnp.array([1.0, 1.0])}, {"w": jnp.array([0.5, -2.0])}
    >>> _, parameters = adam(adam_init(parameters), parameters, gradients, jnp.array(0.1), (0.9, 0.999), epsilon=1e-8)
    >>> [round(w, 4) for w in parameters["w"].tolist()]
    [0.9, 1.1]
    """
    m, v, p = flatten(adam_state["m"]), flatten(adam_state["v"]), flatten(parameters)
    t = adam_state["t"] + 1
    m_correction, v_correction = 1 - decays[0] ** t, 1 - decays[1] ** t
    for name, g in flatten(gradients).items():
        m[name] = decays[0] * m[name] + (1 - decays[0]) * g
        v[name] = decays[1] * v[name] + (1 - decays[1]) * g * g
        denominator = jnp.sqrt(v[name] / v_correction) + epsilon
        p[name] = p[name] - learning_rate * (m[name] / m_correction) / denominator
    return {"m": unflatten(m), "v": unflatten(v), "t": t}, unflatten(p)


def adam_where_init(parameters: Tree) -> Tree:
    """Like `adam_init`, but with a count t of updates for every parameter and replica: [R] each."""
    t = {name: jnp.zeros(len(value)) for name, value in flatten(parameters).items()}
    return adam_init(parameters) | {"t": unflatten(t)}


def adam_where(
    chosen_R: Array,
    adam_state: Tree,
    parameters: Tree,
    gradients: Tree,
    learning_rate: Array,
    decays: tuple[float, float],
    epsilon: float,
) -> tuple[Tree, Tree]:
    """Like `adam`, but only in the replicas `chosen_R`: elsewhere m, v, t and parameters stay unchanged.

    A replica that is not chosen gets decays of 1 and a learning rate of 0, so no second computation is needed.
    """
    m, v, t, p = (flatten(tree) for tree in (adam_state["m"], adam_state["v"], adam_state["t"], parameters))
    for name, g in flatten(gradients).items():
        shape = [-1] + [1] * (g.ndim - 1)
        t[name] += chosen_R
        share_1, share_2 = ((1 - decay) * chosen_R.astype(g.dtype).reshape(shape) for decay in decays)
        m[name] = m[name] * (1 - share_1) + g * share_1
        v[name] = v[name] * (1 - share_2) + g * g * share_2
        # Kept away from 0: there the update is multiplied by 0, but 0 / 0 would be NaN.
        t_R = jnp.maximum(t[name].astype(g.dtype), 1)
        rate = (chosen_R * learning_rate / (1 - decays[0] ** t_R)).reshape(shape)
        denominator = jnp.sqrt(v[name] / (1 - decays[1] ** t_R).reshape(shape)) + epsilon
        p[name] = p[name] - m[name] * rate / denominator
    return {"m": unflatten(m), "v": unflatten(v), "t": unflatten(t)}, unflatten(p)
