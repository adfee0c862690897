"""What a time was measured on: what must be equal for two to be comparable, and what may explain a difference."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path

FREQUENCIES = Path("/sys/devices/system/cpu")
GPU_CONDITIONS = "clocks.sm,clocks.mem,temperature.gpu,power.draw,clocks_throttle_reasons.active"


def governor() -> dict[str, str]:
    """{"governor": name} of the processor's clock, or nothing where the system does not say."""
    path = FREQUENCIES / "cpu0" / "cpufreq" / "scaling_governor"
    return {"governor": path.read_text().strip()} if path.is_file() else {}


def conditions() -> dict[str, object]:
    """Load averages, clocks in MHz, the GPU's temperature and reasons to throttle; what cannot be read is absent."""
    found: dict[str, object] = {"load_average": os.getloadavg()}
    clocks = sorted(FREQUENCIES.glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))
    if clocks:
        found["cpu_mhz"] = [int(path.read_text()) / 1000 for path in clocks]
    command = ["nvidia-smi", f"--query-gpu={GPU_CONDITIONS}", "--format=csv,noheader,nounits"]
    try:
        line = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return found
    return found | {"gpu": dict(zip(GPU_CONDITIONS.split(","), map(str.strip, line.split(",")), strict=False))}


class Watch:
    """Who else used the cores that this process may run on, from its making to `stop`. Knows nothing outside Linux."""

    def __init__(self) -> None:
        self.ticks, self.own_seconds = _ticks(), _own_seconds()

    def stop(self) -> dict[str, float]:
        """Shares of the cores' time: `steal`, taken by the host's other guests; `others`, by other processes here.

        `others` is what was used less what this process and its finished children did.
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
    # user, nice, system, idle, iowait, irq, softirq, steal; guests' time is in user's
    user, nice, system, idle, iowait, irq, softirq, steal = (sum(int(row[i]) for row in rows) for i in range(1, 9))
    used = user + nice + system + irq + softirq
    return {"used": used, "steal": steal, "total": used + idle + iowait + steal}


def _own_seconds() -> float:
    return sum(os.times()[:4])


def wait_longer(started: float, share: float) -> None:
    """Spin, now that a launch begun at `started` is done, for `share` of the time that it took: a planted slowdown."""
    until = time.perf_counter() + share * (time.perf_counter() - started)
    while time.perf_counter() < until:
        pass
