"""The workers of a job in JAX: one program on several devices, which send each other their messages.

In every tick each device runs its own block, and `ppermute` passes activations up and gradients down. The devices
belong to one process, or to several that `jax.distributed` joins, also on several machines.
"""

from __future__ import annotations

import os
import socket
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import PartitionSpec

from impls.engine import jax_ops as ops
from impls.engine.files import write_arrays
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
from impls.workers.job import Case, Job, results_file
from impls.workers.start import TORCHRUN, done, results

AXIS = "worker"
COORDINATOR = "JAX_COORDINATOR_ADDRESS"  # of the process that joins the others; read by JAX


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


def train(job: Job, case: Case) -> dict[int, Leaves]:
    """Do a training on as many devices as it has workers, together with the other processes, if there are any.

    Returns:
        The trained parameters by name, for each worker whose device belongs to this process.

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
        # Arrays of NumPy: each process has them all, and gives them to its own devices.
        state = jax.device_get(initial_state(spec, parameters))
        images, labels = job.splits()["train"]
        data = {"inputs": images, "labels": labels.astype(np.int32)}
        given = spec.step_inputs(job.seeds, len(labels), 0, job.batches)
        inputs = {"indices": given["indices"], "learning_rate": given["learning_rate"].astype(dtype)}

        @partial(jax.shard_map, mesh=mesh, in_specs=(everywhere,) * 3, out_specs=by_device, check_vma=False)
        def program(state: Tree, data: Arrays, inputs: Arrays) -> Tree:
            ticks = jnp.arange(job.batches + (spec.workers - 1) * (1 + spec.link_delay))
            state, _ = lax.scan(partial(tick, spec, job.batches, data, inputs), state, ticks)
            return jax.tree.map(lambda value: value[None], state["parameters"])

        trained = flatten(jax.jit(program)(state, data, inputs))
    found: dict[int, Leaves] = {}
    for name, value_KR in trained.items():
        for shard in value_KR.addressable_shards:
            k = shard.index[0].start or 0
            if name.split(".")[0] in trained_by(spec, k):
                found.setdefault(k, {})[f"parameters.{name}"] = np.asarray(shard.data[0])
    return found


def trained_by(spec: Spec, k: int) -> list[str]:
    """The modules that worker k trains: the layers of its block, and its model M unless it has the loss."""
    return names(spec, k) + [f"synthetic_gradient{cut}" for cut in spec.cuts[k : k + 1]]


def main(path: Path) -> None:
    """Do all trainings of a job; write the parameters that this process has beside the job's file.

    If `torchrun` has started several of these processes, each has a share of the devices, and JAX_COORDINATOR_ADDRESS
    says where they meet; they may be on several machines that see the same file.
    """
    job = Job.read(path)
    processes = int(os.environ.get("WORLD_SIZE", 1))  # set by torchrun
    jax.config.update("jax_num_cpu_devices", max(case.spec.workers for case in job.cases) // processes)
    if processes > 1:
        rank, local_rank = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
        # On GPUs each process gets one of them.
        jax.distributed.initialize(num_processes=processes, process_id=rank, local_device_ids=local_rank)
    for number, case in enumerate(job.cases):
        for k, parameters in train(job, case).items():
            write_arrays(results_file(path, number, k), parameters, {})


def run(job: Job, processes: int = 1) -> list[Leaves]:
    """Run a job in processes of its own, because the number of devices is fixed when JAX starts.

    Args:
        processes: how many share the devices, in equal parts; each case then has as many workers as there are devices.

    Returns:
        For each of its cases the trained parameters of the whole net by name.

    Raises:
        UserError: it failed.
    """
    module, environment = ["-m", "impls.workers.jax_run"], {}
    if processes > 1:
        module = [*TORCHRUN, f"--nproc-per-node={processes}", *module]
        environment = {COORDINATOR: f"127.0.0.1:{free_port()}"}
    with done(job, module, max(1, usable_cpus() // processes), environment) as job_file:
        return [results(job_file, number, case.spec.workers)[0] for number, case in enumerate(job.cases)]


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
