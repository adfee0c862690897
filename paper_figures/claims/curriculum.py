"""The curricula of Copy and Repeat Copy as ladders of task lengths, and results counted in steps on them.

A replica climbs from each task to the next when it has solved it, so its result lies on the ladder. Two results that
are neighbours there are one curriculum step apart, be it 1 time step (Copy) or 8 (Repeat Copy, from 59 to 67).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

STEPS = 1000  # more than any replica climbs

_STEP = np.arange(1, STEPS + 1)
# LADDERS[dataset][k]: T_task in time steps of the k-th task; 0 where not even the first one is solved. Copy has N
# characters, N + 3. Repeat Copy writes them R times, N * R + 3, and alternately N and R grow by one, from 1 and 1.
LADDERS = {
    "copy": np.append(0, _STEP + 3),
    "repeat_copy": np.append(0, (_STEP // 2 + 1) * ((_STEP + 1) // 2) + 3),
}


def to_steps(dataset: str, lengths: ArrayLike) -> Any:
    """Task lengths, an array or one of them, as curriculum steps from 0 (nothing solved); NaN stays NaN."""
    return np.interp(np.asarray(lengths, dtype=float), LADDERS[dataset], np.arange(STEPS + 1))


def to_lengths(dataset: str, steps: ArrayLike) -> Any:
    """The inverse, straight between two tasks, for means and intervals; what lies below the ladder is 0."""
    return np.interp(np.asarray(steps, dtype=float), np.arange(STEPS + 1), LADDERS[dataset])
