"""Numbers and tables of the pages: as many digits as a measurement justifies."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def to_the_range(values: Sequence[float]) -> tuple[str, str]:
    """The median of measurements and their range, both to the place that the range justifies.

    That is the place of the first digit of a tenth of the range, so rounding is at least ten times smaller than the
    range. The median never has more than three significant digits. All three numbers have the same last place, so the
    median shown is never outside the range shown.

    >>> to_the_range([1.9221, 2.0379, 2.5296, 2.6394, 2.9039])
    ('2.53', '1.92 to 2.90')
    >>> to_the_range([9.27, 9.81, 10.64, 11.9, 13.2])
    ('10.6', '9.3 to 13.2')
    >>> to_the_range([230, 241, 266.7, 301, 570])
    ('270', '230 to 570')
    >>> to_the_range([1233.6, 1234.1, 1234.4])
    ('1230', '1230 to 1230')
    >>> to_the_range([0.5])
    ('0.500', '0.500 to 0.500')
    >>> to_the_range([9.996])
    ('10.0', '10.0 to 10.0')
    """
    low, middle, high = min(values), statistics.median(values), max(values)
    place = _place(float(f"{middle:.2e}")) - 2
    if high > low:
        place = max(place, _place((high - low) / 10))
    return _rounded(middle, place), f"{_rounded(low, place)} to {_rounded(high, place)}"


def _place(value: float) -> int:
    """The power of ten of a number's first digit."""
    return math.floor(math.log10(value))


def _rounded(value: float, place: int) -> str:
    return f"{value:.{-place}f}" if place < 0 else f"{round(value, -place):.0f}"


def number(value: float, digits: int = 3) -> str:
    """So many significant digits, without an exponent.

    >>> number(0.012345), number(123456.0)
    ('0.0123', '123000')
    """
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:g}" if value < 1e5 else f"{rounded:.0f}"


def share(value: float) -> str:
    """A share in percent, with a decimal below ten percent.

    >>> share(0.512), share(0.0831)
    ('51%', '8.3%')
    """
    return f"{value:.0%}" if value >= 0.1 else f"{value:.1%}"


def table(lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; the first line is its head."""
    rows = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
