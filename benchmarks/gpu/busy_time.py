"""How long a device is busy during a run, measured with each framework's own profiler."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """Length of the union of (start, end) intervals."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


@contextlib.contextmanager
def under_torch() -> Iterator[list[float]]:
    """A list that contains, at the end of the context, the seconds in which kernels or copies ran on the GPU.

    Raises:
        RuntimeError: the profiler recorded none.
    """
    import torch
    from torch.autograd import DeviceType

    seconds: list[float] = []
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        yield seconds
        torch.cuda.synchronize()
    ranges = [event.time_range for event in profile.events() if event.device_type == DeviceType.CUDA]
    seconds.append(_some(1e-6 * covered((each.start, each.end) for each in ranges)))


@contextlib.contextmanager
def under_jax() -> Iterator[list[float]]:
    """As `under_torch`."""
    import jax

    seconds: list[float] = []
    with tempfile.TemporaryDirectory(prefix="dni-profile-") as folder:
        with jax.profiler.trace(folder):
            yield seconds
        seconds.append(_some(1e-9 * covered(_stream_events(Path(folder), "/device:GPU", "Stream"))))


def _stream_events(folder: Path, plane_name: str, line_name: str) -> list[tuple[float, float]]:
    """(start, end) in nanoseconds of the events in a device's streams; other lines only summarise them."""
    import jax

    found = []
    for path in folder.rglob("*.xplane.pb"):
        for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
            for line in plane.lines if plane.name.startswith(plane_name) else ():
                if line.name.startswith(line_name):
                    found += [(event.start_ns, event.start_ns + event.duration_ns) for event in line.events]
    return found


def _some(seconds: float) -> float:
    if not seconds:
        raise RuntimeError("the profiler recorded nothing on the device")
    return seconds
