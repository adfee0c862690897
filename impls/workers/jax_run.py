"""The workers of a job in JAX: one program on several devices, which send each other their messages.

In every tick each device runs its own block, and `ppermute` passes activations up and gradients down.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import PartitionSpec

from impls.engine import jax_ops as ops
from impls.engine.files import read_arrays, write_arrays
from impls.engine.jax_adam import adam_where, adam_where_init
from impls.engine.jax_engine import DTYPES, precision_mode
from impls.engine.jax_ops import Arrays, vjp
from impls.engine.machine import usable_cpus
from impls.engine.state import Leaves, Tree, flatten, stack_replicas, unflatten
from impls.errors import UserError
from impls.experiments.feedforward import jax_impl as feedforward
from impls.experiments.feedforward.jax_impl import layer, loss, pixels, synthetic_gradient
from impls.experiments.unlocked.jax_impl import delay_line, exchange, model_gradients, names
from impls.experiments.unlocked.spec import Spec
from impls.workers.job import Case, Job
from impls.workers.start import done

AXIS = "worker"


def initial_state(spec: Spec, parameters: Tree) -> Tree:
    """What every device holds: the whole net, of which it trains its own block, and its messages."""
    like = parameters["classifier"]["bias"]
    shape = (len(like), spec.batch_size, spec.resolved("hidden_units"))
    h_RBH, labels_RB = jnp.zeros(shape, like.dtype), jnp.zeros(shape[:2], jnp.int32)
    lesson = {"h": h_RBH, "labels": labels_RB, "synthetic": h_RBH}
    state = feedforward.init(spec, parameters) | {"adam": adam_where_init(parameters)}
    return state | {
        "remembered": delay_line(lesson, max(spec.delays)),
        # On their way to this device, and what has arrived there: activations from below, gradients from above.
        "messages": delay_line({"activation": h_RBH, "gradient": h_RBH}, spec.link_delay),
        "arrived": {"activation": h_RBH, "gradient": h_RBH},
    }


def learn(spec: Spec, state: Tree, gradients: Tree, rate: Array, chosen: Array) -> Tree:
    """One update of Adam of the parameters in `gradients`, if it is `chosen` []."""
    chosen_R = jnp.broadcast_to(chosen, len(state["parameters"]["classifier"]["bias"]))
    adam_state, parameters = adam_where(
        chosen_R, state["adam"], state["parameters"], gradients, rate, spec.adam_decays, spec.adam_epsilon
    )
    return state | {"adam": adam_state, "parameters": parameters}


def block(
    spec: Spec, k: int, state: Tree, x_RBH: Array, labels_RB: Array, delta_RBH: Array, n: Array, rate: Array
) -> tuple[Tree, Array, Array]:
    """Batch n [] in block k.

    Args:
        delta_RBH: the gradient that has arrived from above, of batch n - D.

    Returns:
        The new state; the block's output and the gradient of its input, [R, B, H] each: the messages.
    """
    parameters, moments, pullbacks, h_RBH = state["parameters"], {}, {}, x_RBH
    for i in spec.blocks[k]:
        if i < spec.depth:
            h_RBH, pullbacks[i], (mean_RH, variance_RH) = vjp(
                layer, parameters[f"layer{i}"], h_RBH, spec, input_gradient=i > 1, has_aux=True
            )
            moments[f"layer{i}"] = {"mean": mean_RH, "variance": variance_RH}
    gradients, below_RBH = {}, jnp.zeros_like(delta_RBH)
    if k == spec.workers - 1:
        loss_R, loss_pullback = vjp(loss, parameters["classifier"], h_RBH, labels_RB)
        found, received_RBH = loss_pullback(jnp.full_like(loss_R, spec.gradient_scale))
        gradients["classifier"] = ops.scaled(found, spec.gradient_scale)
    else:
        model = f"synthetic_gradient{spec.cuts[k]}"
        received_RBH = synthetic_gradient(parameters[model], h_RBH, labels_RB, spec)
        sent = {"h": h_RBH, "labels": labels_RB, "synthetic": received_RBH}
        lesson, remembered = exchange(state["remembered"], n % (1 + spec.delays[k]), sent)
        of_model = model_gradients(spec, parameters[model], lesson | {"delta": delta_RBH})
        state = learn(spec, state, {model: of_model}, rate, n >= spec.delays[k]) | {"remembered": remembered}
    for i, pullback in reversed(pullbacks.items()):
        found, received_RBH = pullback(received_RBH)
        gradients[f"layer{i}"] = ops.scaled(found, spec.gradient_scale)
    if k > 0:
        below_RBH = received_RBH
    assert set(gradients) == set(names(spec, k))
    statistics = ops.average_towards(state["statistics"], moments, spec.batch_norm_momentum)
    state = learn(spec, state, gradients, rate, jnp.array(True)) | {"statistics": statistics}
    return state, jnp.zeros_like(delta_RBH) if k == spec.workers - 1 else h_RBH, below_RBH


def tick(spec: Spec, batches: int, data: Arrays, inputs: Arrays, state: Tree, t: Array) -> tuple[Tree, None]:
    """One tick on one device: its block on its batch, then the messages."""
    k, ticks = lax.axis_index(AXIS), 1 + spec.link_delay
    n, arrived = t - k * ticks, state["arrived"]
    nothing = jnp.zeros_like(arrived["activation"])

    def active(state: Tree) -> tuple[Tree, Array, Array]:
        indices_RB, rate = inputs["indices"][n], inputs["learning_rate"][n]
        labels_RB = data["labels"][indices_RB]

        def own(k: int, state: Tree) -> tuple[Tree, Array, Array]:
            x_RBH = pixels(spec, data["inputs"][indices_RB], nothing.dtype) if k == 0 else arrived["activation"]
            return block(spec, k, state, x_RBH, labels_RB, arrived["gradient"], n, rate)

        return lax.switch(k, [partial(own, k) for k in range(spec.workers)], state)

    state, up, down = lax.cond((n >= 0) & (n < batches), active, lambda state: (state, nothing, nothing), state)
    above = [(k, k + 1) for k in range(spec.workers - 1)]
    sent = {
        "activation": lax.ppermute(up, AXIS, above),
        "gradient": lax.ppermute(down, AXIS, [(b, a) for a, b in above]),
    }
    arrived, messages = exchange(state["messages"], t % ticks, sent)
    return state | {"arrived": arrived, "messages": messages}, None


def train(job: Job, case: Case) -> Leaves:
    """Do a training on as many devices as it has workers; returns the parameters of the whole net by name.

    Raises:
        UserError: there are too few devices.
    """
    spec, dtype = case.spec, DTYPES[job.precision]
    devices = jax.devices()[: spec.workers]
    if len(devices) < spec.workers:
        raise UserError(f"{spec.workers} workers need as many devices, and JAX finds {len(devices)}")
    mesh = jax.make_mesh((spec.workers,), (AXIS,), devices=devices)
    everywhere, by_device = PartitionSpec(), PartitionSpec(AXIS)
    with precision_mode(job.precision):
        drawn = stack_replicas([spec.initial_parameters(seed) for seed in job.seeds])
        parameters = unflatten({name: jnp.asarray(value, dtype) for name, value in drawn.items()})
        images, labels = job.splits()["train"]
        data = {"inputs": jnp.asarray(images), "labels": jnp.asarray(labels.astype(np.int32))}
        given = spec.step_inputs(job.seeds, len(labels), 0, job.batches)
        inputs = {
            "indices": jnp.asarray(given["indices"]),
            "learning_rate": jnp.asarray(given["learning_rate"], dtype),
        }

        @partial(jax.shard_map, mesh=mesh, in_specs=(everywhere,) * 3, out_specs=by_device, check_vma=False)
        def program(state: Tree, data: Arrays, inputs: Arrays) -> Tree:
            ticks = jnp.arange(job.batches + (spec.workers - 1) * (1 + spec.link_delay))
            state, _ = lax.scan(partial(tick, spec, job.batches, data, inputs), state, ticks)
            return jax.tree.map(lambda value: value[None], state["parameters"])

        trained = flatten(jax.device_get(jax.jit(program)(initial_state(spec, parameters), data, inputs)))
    owners = {name: k for k in range(spec.workers) for name in names(spec, k)}
    owners |= {f"synthetic_gradient{cut}": k for k, cut in enumerate(spec.cuts)}
    return {f"parameters.{name}": value_K[owners[name.split(".")[0]]] for name, value_K in trained.items()}


def main(path: Path) -> None:
    """Do all trainings of a job; write their parameters beside the job's file."""
    job = Job.read(path)
    jax.config.update("jax_num_cpu_devices", max(case.spec.workers for case in job.cases))
    for number, case in enumerate(job.cases):
        write_arrays(path.with_name(f"case{number}.npz"), train(job, case), {})


def run(job: Job) -> list[Leaves]:
    """Run a job in a process of its own, because the number of devices is fixed when JAX starts.

    Returns:
        For each of its cases the trained parameters of the whole net by name.

    Raises:
        UserError: it failed.
    """
    with done(job, ["-m", "impls.workers.jax_run"], usable_cpus()) as folder:
        return [read_arrays(folder / f"case{number}.npz")[0] for number in range(len(job.cases))]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
