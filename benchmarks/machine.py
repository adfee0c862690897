"""The machine of a measurement: what must be equal in two records, and what may explain a difference."""

from __future__ import annotations

import os
import platform
import threading
import time
from pathlib import Path

from impls.engine.machine import nvidia_smi

FREQUENCIES = Path("/sys/devices/system/cpu")
GPU_CONDITIONS = "clocks.sm,clocks.mem,temperature.gpu,power.draw,clocks_throttle_reasons.active"
# The meaning of the bits of the last entry, as in NVML. Other bits are shown as a number.
THROTTLE_REASONS = {
    0x1: "idle",
    0x2: "clocks set by an application",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "heat (software)",
    0x40: "heat (hardware)",
    0x80: "power brake",
    0x100: "display",
}


def governor() -> dict[str, str]:
    """{"governor": name} of the processor's clock, or {} if the system does not report it."""
    path = FREQUENCIES / "cpu0" / "cpufreq" / "scaling_governor"
    return {"governor": path.read_text().strip()} if path.is_file() else {}


def conditions() -> dict[str, object]:
    """Load averages, clocks in MHz, the GPU's temperature and reasons for throttling; unreadable entries are absent."""
    found: dict[str, object] = {"load_average": os.getloadavg()}
    clocks = sorted(FREQUENCIES.glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))
    if clocks:
        found["cpu_mhz"] = [int(path.read_text()) / 1000 for path in clocks]
    gpu = gpu_conditions()
    return found | ({"gpu": gpu} if gpu else {})


def gpu_conditions() -> dict[str, str]:
    """The output of `nvidia-smi` for the first GPU, by the names of GPU_CONDITIONS; {} if it cannot be run."""
    for query in (GPU_CONDITIONS, GPU_CONDITIONS.replace("throttle", "event")):  # the name in newer drivers
        if found := nvidia_smi(*query.split(",")):
            return dict(zip(GPU_CONDITIONS.split(","), found, strict=False))
    return {}


def throttle_reasons(active: str) -> list[str]:
    """The reasons in a bit mask such as 0x0000000000000004, in words."""
    try:
        mask = int(active, 16)
    except ValueError:
        return [active]
    unknown = mask & ~sum(THROTTLE_REASONS)
    return [word for bit, word in THROTTLE_REASONS.items() if mask & bit] + ([hex(unknown)] if unknown else [])


class ClockLog:
    """Reads the GPU's clocks every few seconds in a thread, from its creation until `stop`."""

    def __init__(self, seconds: float = 2.0) -> None:
        self.seen: list[dict[str, str]] = []
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch, args=(seconds,), daemon=True)
        self.thread.start()

    def _watch(self, seconds: float) -> None:
        while seen := gpu_conditions():
            self.seen.append(seen)
            if self.done.wait(seconds):
                return

    def stop(self) -> dict[str, object]:
        """Least and greatest value of each reading, and all reasons for throttling but idleness; {} without a GPU."""
        self.done.set()
        self.thread.join()
        if not self.seen:
            return {}
        *numbers, active = self.seen[0]
        ranges: dict[str, list[float]] = {}
        for name in numbers:
            values = [float(seen[name]) for seen in self.seen if seen[name].replace(".", "", 1).isdigit()]
            ranges |= {name: [min(values), max(values)]} if values else {}
        reasons = dict.fromkeys(word for seen in self.seen for word in throttle_reasons(seen[active]))
        throttled = [word for word in reasons if word != "idle"]
        return {"readings": len(self.seen), "ranges": ranges, "throttled": throttled}


class Watch:
    """Measures how much others used this process's cores, from its creation until `stop`. Works only on Linux."""

    def __init__(self) -> None:
        self.ticks, self.own_seconds = _ticks(), _own_seconds()

    def stop(self) -> dict[str, float]:
        """Shares of the cores' time: `steal`, taken by the host's other guests; `others`, by other processes here.

        `others` is the time used minus that of this process and its finished children.
        """
        load = {"load_average": os.getloadavg()[0]}
        elapsed = {name: ticks - self.ticks[name] for name, ticks in _ticks().items()} if self.ticks else {}
        if not elapsed.get("total"):
            return load
        own_ticks = (_own_seconds() - self.own_seconds) * os.sysconf("SC_CLK_TCK")
        others = max(0.0, elapsed["used"] - own_ticks) / elapsed["total"]
        return load | {"steal": elapsed["steal"] / elapsed["total"], "others": others}


def _ticks() -> dict[str, int]:
    """Clock ticks since the start of the machine, summed over the cores that this process may run on."""
    if platform.system() != "Linux":
        return {}
    cores = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    rows = [line.split() for line in Path("/proc/stat").read_text().splitlines() if line.split()[0] in cores]
    # user, nice, system, idle, iowait, irq, softirq, steal; user includes the time of guests
    user, nice, system, idle, iowait, irq, softirq, steal = (sum(int(row[i]) for row in rows) for i in range(1, 9))
    used = user + nice + system + irq + softirq
    return {"used": used, "steal": steal, "total": used + idle + iowait + steal}


def _own_seconds() -> float:
    return sum(os.times()[:4])


def wait_longer(started: float, share: float) -> None:
    """Spin for `share` of the duration of the launch that began at `started` and has just ended: a planted slowdown."""
    until = time.perf_counter() + share * (time.perf_counter() - started)
    while time.perf_counter() < until:
        pass
