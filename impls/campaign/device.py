"""The device that a campaign runs on, as reported by the system: importing a framework would occupy the GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from impls.campaign.job_list import Job
from impls.engine.machine import cpu_name, nvidia_smi, usable_cpus
from impls.presets import Preset, uses_gpu

GPU_JOBS = 4  # more processes than this take turns on one GPU, which is no faster
SHARE_OF_MEMORY = 0.85
PROCESS_BYTES = 1.2e9  # a framework with its libraries, a GPU's context, a data set


class Device(NamedTuple):
    """The device that trains, and its available memory in bytes (None: unknown)."""

    kind: Literal["cpu", "cuda"]
    name: str
    memory: float | None


def find_device(preset: Preset) -> Device:
    """The GPU if the campaign uses one, else the processor."""
    return (_gpu() if uses_gpu(preset) else None) or Device("cpu", cpu_name(), _available_memory())


def jobs_and_threads(device: Device, jobs: int | None, threads: int | None) -> tuple[int, int]:
    """(jobs at once, threads of each): the given values; the others follow from the number of cores."""
    cores = usable_cpus()
    if jobs is None:
        jobs = min(GPU_JOBS, max(1, cores // 2)) if device.kind == "cuda" else max(1, cores // (threads or 1))
    return jobs, threads or max(1, cores // jobs)


def estimated_memory(job: Job) -> float:
    """A rough estimate of a job's peak device memory in bytes, used if no record has the measured value.

    It counts the parameters, their gradients and Adam's two averages, and eight arrays of the size of all activations.
    The number of activations follows from the counted operations: each activation is an output of a map and takes two
    operations per input in the forward pass, and the forward pass is a third of all operations.
    """
    weights = job.spec.initial_parameters(job.seeds[0]).values()
    parameters = sum(weight.size for weight in weights)
    inputs = sum(weight.size * (weight.size // weight.shape[-1]) for weight in weights if weight.ndim > 1)
    inputs /= max(1, sum(weight.size for weight in weights if weight.ndim > 1))
    activations = job.spec.operations_per_step() / (6 * max(1.0, inputs))
    return PROCESS_BYTES + 4.0 * job.replicas * (4 * parameters + 8 * activations)


def _gpu() -> Device | None:
    found = nvidia_smi("name", "memory.total")
    return Device("cuda", found[0], float(found[1]) * 2**20) if found else None


def _available_memory() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None
