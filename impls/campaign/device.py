"""The device that a campaign runs on, as reported by the system: importing a framework would occupy the GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from impls.engine.machine import cpu_name, nvidia_smi, usable_cpus
from impls.presets import Preset, uses_gpu

GPU_JOBS = 2  # processes take turns on a GPU: more of them end a short time with as many unfinished cells
SHARE_OF_MEMORY = 0.85


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


def _gpu() -> Device | None:
    found = nvidia_smi("name", "memory.total")
    return Device("cuda", found[0], float(found[1]) * 2**20) if found else None


def _available_memory() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None
