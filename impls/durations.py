"""Durations as a reader says them."""

from __future__ import annotations


def duration(minutes: float) -> str:
    """A duration in the unit in which it is read most easily: `<1 min`, `12 min`, `3.4 h`, `21 days`, `3 years`."""
    if minutes < 1:
        return "<1 min"
    if minutes < 90:
        return f"{minutes:.0f} min"
    if minutes < 60 * 48:
        return f"{minutes / 60:.1f} h"
    days = minutes / 60 / 24
    return f"{days:.0f} days" if days < 2 * 365 else f"{days / 365:.0f} years"
