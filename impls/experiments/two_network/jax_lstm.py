"""The lstm with batch norm of the two networks, in JAX; line by line the twin of `torch_lstm.py`.

Shape legend: R replicas, W windows, T time steps, B batch (streams), X any axes, I inputs, O outputs, G gate
activations, H hidden units, N units of a batch norm, L places: replicas and axes X, which have statistics of their own.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import Array

from impls.engine import jax_ops as ops
from impls.engine.jax_ops import Arrays
from impls.engine.state import Tree
from impls.experiments.two_network.spec import Spec


def linear(parameters: Arrays, x_RXI: Array) -> Array:
    """x W, plus b if there is one, with one W and b per replica: [R, ..., I] -> [R, ..., O]."""
    bias_RO = parameters.get("bias")
    offset_R1O = None if bias_RO is None else bias_RO[:, None]
    y_RXO = ops.matmul(x_RXI.reshape(len(x_RXI), -1, x_RXI.shape[-1]), parameters["weight"], offset_R1O)
    return y_RXO.reshape(*x_RXI.shape[:-1], -1)


def norm(parameters: Arrays, x_RXBN: Array, spec: Spec, running: Arrays | None = None) -> tuple[Array, Arrays]:
    """Batch norm over the streams B, separately for each place along the axes X.

    Args:
        running: `mean` and `variance` to normalise with, each of a shape that broadcasts to [R, ..., N]; not given: the
            batch's own.

    Returns:
        The result, and the moments that were used: `mean` and `variance`, [R, ..., N] each.
    """
    scale_RN = parameters["scale"]
    shift_RN = parameters.get("shift", jnp.zeros_like(scale_RN))
    *places, batch, units = x_RXBN.shape
    scale_LN, shift_LN = (jnp.repeat(value, math.prod(places[1:]), 0) for value in (scale_RN, shift_RN))
    x_LBN = x_RXBN.reshape(-1, batch, units)
    if running is None:
        y_LBN, (mean_LN, variance_LN) = ops.batch_norm(x_LBN, scale_LN, shift_LN, spec.batch_norm_epsilon)
    else:
        given = running["mean"], running["variance"]
        mean_LN, variance_LN = (jnp.broadcast_to(value, (*places, units)).reshape(-1, units) for value in given)
        y_LBN = ops.normalise(x_LBN, mean_LN, variance_LN, scale_LN, shift_LN, spec.batch_norm_epsilon)
    moments = {"mean": mean_LN.reshape(*places, units), "variance": variance_LN.reshape(*places, units)}
    return y_LBN.reshape(x_RXBN.shape), moments


def moments_of(running: Tree | None, name: str, t: int | None = None) -> Arrays | None:
    """The running moments of a batch norm, at time step t where each has its own; None if the batch's are wanted."""
    if running is None:
        return None
    if t is None:
        return running[name]
    return {moment: value[:, :, t] for moment, value in running[name].items()}


def core(parameters: Tree, x_RWTBI: Array, spec: Spec, running: Tree | None) -> tuple[Array, Tree]:
    """An lstm with recurrent batch norm, from the zero state over T time steps: (last output [R, W, B, H], moments).

        gates = BN(x W_x) + BN(h W_h)       c' = sigmoid(f) c + sigmoid(i) tanh(g)       h' = sigmoid(o) tanh(BN(c'))

    Cooijmans et al. 2016, equations 6 to 8; every time step has separate statistics. The bias of the gates is the shift
    of the first norm.
    """
    moments: Tree = {}
    projected_RWTBG = linear(parameters["input"], x_RWTBI)
    gates_RWTBG, moments["input"] = norm(parameters["input"], projected_RWTBG, spec, moments_of(running, "input"))
    h_RWBH = c_RWBH = jnp.zeros_like(gates_RWTBG[:, :, 0, :, : spec.hidden_units])
    by_time: dict[str, list[Arrays]] = {"recurrent": [], "cell": []}
    for t, gates_RWBG in enumerate(jnp.moveaxis(gates_RWTBG, 2, 0)):
        if t > 0:  # h is still zero at 0
            projected_RWBG = linear(parameters["recurrent"], h_RWBH)
            running_t = moments_of(running, "recurrent", t - 1)
            normed_RWBG, recurrent_moments = norm(parameters["recurrent"], projected_RWBG, spec, running_t)
            by_time["recurrent"].append(recurrent_moments)
            gates_RWBG = gates_RWBG + normed_RWBG
        i, f, o, g = jnp.split(gates_RWBG, 4, -1)
        c_RWBH = jax.nn.sigmoid(f) * c_RWBH + jax.nn.sigmoid(i) * jnp.tanh(g)
        normed_RWBH, cell_moments = norm(parameters["cell"], c_RWBH, spec, moments_of(running, "cell", t))
        by_time["cell"].append(cell_moments)
        h_RWBH = jax.nn.sigmoid(o) * jnp.tanh(normed_RWBH)
    for name, each in by_time.items():
        moments[name] = {moment: jnp.stack([one[moment] for one in each], 2) for moment in ("mean", "variance")}
    return h_RWBH, moments
