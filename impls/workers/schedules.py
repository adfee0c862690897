"""The ways in which workers can share one net. They need no framework to be named."""

from __future__ import annotations

import math
from typing import Literal, get_args

Schedule = Literal["one_process", "locked", "gpipe", "1f1b", "data_parallel", "delayed", "unlocked"]
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)
WHOLE_NET = ("one_process", "data_parallel")  # each worker has the whole net, and not a block of it
BY_AUTOGRAD = ("gpipe", "1f1b", "data_parallel")  # PyTorch's own libraries
ALL_WAIT = ("locked", "gpipe", "1f1b", "data_parallel")  # every worker waits for the true gradient of its batch
LINKED = (*ALL_WAIT, "delayed", "unlocked")  # those that send messages

SHORTEST_TICK_MS = 1.25


def method_of(schedule: str, synthetic: str) -> str:
    """The method of the unlocked experiment that a schedule trains; `synthetic` is dni or cdni."""
    return {"unlocked": synthetic, "delayed": "delayed"}.get(schedule, "bprop")


def ticks(link_delay_ms: float) -> int:
    """The delay in ticks for a link with this delay: enough for workers that need 1.25 ms or more for a batch.

    >>> [ticks(ms) for ms in (0, 1, 5, 20)]
    [0, 1, 4, 16]
    """
    return math.ceil(link_delay_ms / SHORTEST_TICK_MS)
