"""The settings of the speed gate, for tests."""

from __future__ import annotations

from benchmarks.gate.settings import Gate, read_gate


def gate(**busy) -> Gate:
    """The gate's real settings, except for when the machine counts as busy."""
    content = read_gate().model_dump()
    return Gate(**content | {"busy": content["busy"] | busy})
