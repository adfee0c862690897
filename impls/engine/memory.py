"""An estimate of a run's memory, made before anything is computed."""

from __future__ import annotations

import math
from pathlib import Path

from impls.engine.machine import nvidia_smi
from impls.engine.spec import CellSpec
from impls.errors import UserError

GIB = 2**30
PROCESS_BYTES = 1.2e9  # a framework with its libraries, a GPU's context, a data set


def estimated_bytes(spec: CellSpec, replicas: int) -> float:
    """A rough estimate of a run's memory on its device, in bytes.

    It counts the parameters, their gradients and Adam's two averages, and eight arrays of the size of all activations.
    The number of activations follows from the counted operations: each activation is an output of a map and takes two
    operations per input in the forward pass, and the forward pass is a third of all operations.
    """
    sizes = [(math.prod(shape), math.prod(shape[:-1])) for shape in spec.weight_shapes]
    parameters = sum(size for size, _ in sizes)
    inputs = sum(size * inputs for size, inputs in sizes) / parameters
    activations = spec.operations_per_step() / (6 * max(1.0, inputs))
    return PROCESS_BYTES + 4.0 * replicas * (4 * parameters + 8 * activations)


def check_memory(spec: CellSpec, replicas: int, device: str) -> None:
    """Refuse a run that this machine cannot hold.

    Raises:
        UserError: with what it needs, what there is, and what to make smaller.
    """
    has = gpu_memory() if device == "cuda" else total_memory()
    needs = estimated_bytes(spec, replicas)
    if has is not None and needs > has:
        raise UserError(
            f"this run needs about {needs / GIB:.1f} GiB of memory, and there are {has / GIB:.1f}: "
            "use fewer replicas, or smaller units or batches"
        )


def gpu_memory() -> float | None:
    """Memory of the first GPU in bytes, or None if it is not known."""
    found = nvidia_smi("memory.total")
    return float(found[0]) * 2**20 if found and found[0].replace(".", "", 1).isdigit() else None


def total_memory(root: Path = Path("/")) -> float | None:
    """Memory of this machine, or of its container if that may use less, in bytes; None if it is not known.

    Args:
        root: the root of the file system; only tests change it.
    """
    found = []
    for name, word, unit in (
        ("proc/meminfo", "MemTotal:", 1024),
        ("sys/fs/cgroup/memory.max", "", 1),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "", 1),
    ):
        try:
            lines = (root / name).read_text().splitlines()
        except OSError:
            continue
        values = [line.removeprefix(word).split()[0] for line in lines if line.startswith(word)]
        found += [float(value) * unit for value in values if value.isdecimal()]
    return min(found, default=None)
