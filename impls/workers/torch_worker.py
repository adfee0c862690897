"""One process of several that train one net: `torchrun` starts as many as there are blocks (`torch_run`)."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from impls.engine import torch_ops as ops
from impls.engine.files import write_arrays
from impls.engine.machine import usable_cpus
from impls.engine.state import Leaves, flatten, stack_replicas, unflatten
from impls.engine.torch_engine import DTYPES, _keep_freed_memory, precision_mode
from impls.experiments.feedforward.torch_impl import pixels
from impls.experiments.unlocked.spec import Spec
from impls.workers.job import Case, Job, results_file
from impls.workers.links import held_back
from impls.workers.schedules import BY_AUTOGRAD, WHOLE_NET
from impls.workers.torch_block import Block
from impls.workers.torch_schedules import LOOPS, Batch, Place

AT_ONCE = 50  # batches whose examples are drawn at once
PATIENCE = timedelta(minutes=2)  # for a message


def batches(job: Job, case: Case, *, with_images: bool) -> Iterator[Batch]:
    """The batches of a training: those on which one process would train; without images for a higher block."""
    (images, labels), spec, dtype = job.splits()["train"], case.spec, DTYPES[job.precision]
    images_E, labels_E = torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))
    for first in range(0, job.batches, AT_ONCE):
        inputs = spec.step_inputs(job.seeds, len(labels), first, min(first + AT_ONCE, job.batches))
        for indices, rate in zip(inputs["indices"], inputs["learning_rate"], strict=True):
            chosen = torch.from_numpy(indices)
            x_RBH = pixels(spec, ops.rows(images_E, chosen), dtype) if with_images else torch.empty(0)
            yield Batch(x_RBH, ops.rows(labels_E, chosen), torch.tensor(rate, dtype=dtype))


def train(job: Job, case: Case) -> tuple[list[float], Leaves]:
    """Do this process's part of a training.

    Returns:
        When each batch was finished, in seconds of the machine's clock, and the trained parameters of the block.
    """
    rank, dtype = dist.get_rank(), DTYPES[job.precision]
    spec = Spec(**case.fields | {"workers": 1}) if case.schedule in WHOLE_NET else case.spec
    drawn = stack_replicas([spec.initial_parameters(seed) for seed in job.seeds])
    parameters = unflatten({name: torch.from_numpy(value).to(dtype) for name, value in drawn.items()})
    k = 0 if case.schedule in WHOLE_NET else rank
    block, place = Block(spec, k, parameters), Place(spec, k, len(job.seeds), job.batches, dtype, case.link_delay_ms)
    ends: list[float] = []
    if case.schedule == "one_process" and rank > 0:
        return ends, {}
    for _ in LOOPS[case.schedule](place, block, batches(job, case, with_images=place.is_lowest)):
        ends.append(time.monotonic())
    return ends, {f"parameters.{name}": value.detach().numpy() for name, value in flatten(block.trained()).items()}


def main(path: Path) -> None:
    """Do this process's part of all trainings of a job; write its times and parameters beside the job's file."""
    _keep_freed_memory()
    job = Job.read(path)
    for number, case in enumerate(job.cases):
        # Not by the environment: PyTorch prefers MKL_NUM_THREADS, which Snakemake sets, to OMP_NUM_THREADS.
        torch.set_num_threads(usable_cpus() if case.schedule == "one_process" else job.threads)
        dist.barrier()
        with (
            precision_mode(job.precision),
            torch.set_grad_enabled(case.schedule in BY_AUTOGRAD),
            held_back(case.link_delay_ms / 1000),
        ):
            ends, found = train(job, case)
        dist.barrier()
        facts = {"ends": ends, "threads": torch.get_num_threads()}
        write_arrays(results_file(path, number, dist.get_rank()), found, facts)


if __name__ == "__main__":
    dist.init_process_group("gloo", timeout=PATIENCE)
    main(Path(sys.argv[1]))
    dist.destroy_process_group()
