"""Facts about the machine and its software, for run records, measurements and plans."""

from __future__ import annotations

import math
import os
import platform
import resource
import subprocess
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path


def package_versions(*packages: str) -> dict[str, str]:
    """Versions of Python and of the named packages that are installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def cuda_packages() -> list[str]:
    """The installed packages that bring CUDA's libraries, such as cuBLAS and cuDNN, and JAX's plugin for them."""
    names = {str(package.metadata["Name"]) for package in distributions()}
    return sorted(name for name in names if name.startswith(("nvidia-", "jax-cuda")))


def cpu_name() -> str:
    """The processor's name as reported by the system."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        if names:
            return names[0]
    return platform.processor() or platform.machine() or "unknown"


def nvidia_smi(*fields: str) -> list[str] | None:
    """The output of `nvidia-smi` for the first GPU, one text per field; None if the command fails."""
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return None
    return [value.strip() for value in lines[0].split(",")] if lines else None


def gpu_driver() -> dict[str, str]:
    """{"driver": version} of the NVIDIA driver; empty if there is none."""
    found = nvidia_smi("driver_version")
    return {"driver": found[0]} if found else {}


def finds_gpu() -> bool:
    """Whether the driver reports a GPU that this process may use. No framework is imported."""
    return os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1") and nvidia_smi("name") is not None


def usable_cpus() -> int:
    """Cores that this process may use: those that it may run on, or fewer if its container has a quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return math.ceil(min(cores, processor_quota()))


def processor_quota(root: Path = Path("/")) -> float:
    """The number of cores whose time the control groups of this process allow it, versions 1 and 2; or infinity.

    Args:
        root: the root of the file system; only tests change it.
    """
    quotas = [math.inf]
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, place = line.split(":", 2)
        base = root / "sys/fs/cgroup"
        if controllers and "cpu" not in controllers.split(","):
            continue
        if controllers:
            base = base / controllers if (base / controllers).is_dir() else base / "cpu"
        # A container may see its own group as the root.
        groups = [base, *(base / part for part in (place.lstrip("/"), *map(str, Path(place.lstrip("/")).parents)))]
        for group in groups:
            if controllers:
                words = [*_lines(group / "cpu.cfs_quota_us"), *_lines(group / "cpu.cfs_period_us")]
            else:
                words = " ".join(_lines(group / "cpu.max")).split()
            if len(words) == 2 and words[0] not in ("max", "-1"):
                quotas.append(float(words[0]) / float(words[1]))
    return min(quotas)


def _lines(path: Path) -> list[str]:
    """The lines of a file of the system; none if it is not there."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def process_peak_memory_bytes() -> int:
    """Peak memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024
