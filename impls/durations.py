"""Durations as a reader says them."""

from __future__ import annotations


def duration(minutes: float) -> str:
    """A duration in the unit in which it is read most easily: `<1 min`, `12 min`, `3.4 h`, `21 days`."""
    if minutes < 1:
        return "<1 min"
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 60 * 48 else f"{minutes / 60 / 24:.0f} days"
