"""Adam in PyTorch, for all replicas at once (Kingma & Ba 2015, algorithm 1; the paper's reference [26]).

The same functions, in the same order, are in `jax_adam.py`. Parameters, gradients and moments are trees of arrays
with a leading replica axis R. Parameters without a gradient stay unchanged.

    m <- d1 m + (1 - d1) g          v <- d2 v + (1 - d2) g^2
    parameter <- parameter - learning_rate * (m / (1 - d1^t)) / (sqrt(v / (1 - d2^t)) + epsilon)

with the gradient g, the decays (d1, d2), and the count of updates t.
"""

from __future__ import annotations

import torch
from torch import Tensor

from impls.engine.state import Tree, flatten, unflatten


def adam_init(parameters: Tree) -> Tree:
    """Zero moments m and v of every parameter, and the count t of updates, on the parameters' device."""
    leaves = flatten(parameters)
    return {
        "m": unflatten({name: torch.zeros_like(value) for name, value in leaves.items()}),
        "v": unflatten({name: torch.zeros_like(value) for name, value in leaves.items()}),
        "t": torch.zeros((), device=next(iter(leaves.values())).device),
    }


def adam(
    adam_state: Tree,
    parameters: Tree,
    gradients: Tree,
    learning_rate: Tensor,
    decays: tuple[float, float],
    epsilon: float,
) -> None:
    """One update, in place; epsilon is added outside the root.

    Learning rate and count are tensors on the device, because a captured graph would freeze Python numbers.

    The first update moves every parameter by the learning rate, against its gradient's sign:

    >>> parameters, gradients = {"w": torch.tensor([1.0, 1.0])}, {"w": torch.tensor([0.5, -2.0])}
    >>> adam(adam_init(parameters), parameters, gradients, torch.tensor(0.1), (0.9, 0.999), epsilon=1e-8)
    >>> [round(w, 4) for w in parameters["w"].tolist()]
    [0.9, 1.1]
    """
    m, v, p = flatten(adam_state["m"]), flatten(adam_state["v"]), flatten(parameters)
    g = {name: value.contiguous() for name, value in flatten(gradients).items()}  # the fused kernel ignores strides
    if learning_rate.is_cuda:
        learning_rate = learning_rate.float()  # the fused kernel reads four bytes there, also for float64 parameters
    adam_state["t"] += 1
    torch._fused_adam_(
        [p[name] for name in g],
        list(g.values()),
        [m[name] for name in g],
        [v[name] for name in g],
        [],
        [adam_state["t"]] * len(g),
        lr=learning_rate,
        beta1=decays[0],
        beta2=decays[1],
        eps=epsilon,
        weight_decay=0.0,
        amsgrad=False,
        maximize=False,
    )


def adam_where_init(parameters: Tree) -> Tree:
    """Like `adam_init`, but with a count t of updates for every parameter and replica: [R] each."""
    t = {name: torch.zeros(len(value), device=value.device) for name, value in flatten(parameters).items()}
    return adam_init(parameters) | {"t": unflatten(t)}


def adam_where(
    chosen_R: Tensor,
    adam_state: Tree,
    parameters: Tree,
    gradients: Tree,
    learning_rate: Tensor,
    decays: tuple[float, float],
    epsilon: float,
) -> None:
    """Like `adam`, but only in the replicas `chosen_R`, in place: elsewhere m, v, t and parameters stay unchanged.

    A replica that is not chosen gets decays of 1 and a learning rate of 0, so no second computation is needed.
    """
    m, v, t, p = (flatten(tree) for tree in (adam_state["m"], adam_state["v"], adam_state["t"], parameters))
    for name, g in flatten(gradients).items():
        shape = [-1] + [1] * (g.ndim - 1)
        t[name] += chosen_R
        share_1, share_2 = ((1 - decay) * chosen_R.to(g.dtype).reshape(shape) for decay in decays)
        m[name].mul_(1 - share_1).addcmul_(g, share_1)
        v[name].mul_(1 - share_2).addcmul_(g * g, share_2)
        # Kept away from 0: there the update is multiplied by 0, but 0 / 0 would be NaN.
        t_R = t[name].to(g.dtype).clamp(min=1)
        rate = (chosen_R * learning_rate / (1 - decays[0] ** t_R)).reshape(shape)
        denominator = (v[name] / (1 - decays[1] ** t_R).reshape(shape)).sqrt_().add_(epsilon)
        p[name].sub_((m[name] * rate).div_(denominator))
