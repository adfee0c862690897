"""The exception that the command lines print as a message, and the hint that many of its messages contain."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

OTHER_NAMES = {"gpu": "cuda", "pytorch": "torch"}  # what people write for a known name


class UserError(Exception):
    """Something outside the code is wrong. The message names the problem and what to do about it."""


def nearest(given: object, known: Iterable[str]) -> str | None:
    """The known name that means the same as the given one, else the closest one, or None if none is close."""
    known, given = list(known), str(given).lower()
    if OTHER_NAMES.get(given) in known:
        return OTHER_NAMES[given]
    matches = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    return matches[0] if matches else None


def unknown(what: str, given: object, known: Iterable[str]) -> UserError:
    """The error for a name that does not exist: what was given, the nearest name, and all names.

    >>> print(unknown("experiment", "unlok", ["recurrent", "unlock"]))
    unknown experiment 'unlok': did you mean 'unlock'? There are: recurrent, unlock.
    """
    known = list(known)
    near = nearest(given, known)
    hint = f"did you mean {near!r}? " if near else ""
    return UserError(f"unknown {what} {given!r}: {hint}There are: {', '.join(known)}.")
