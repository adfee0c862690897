"""Numbers of the pages about speed: digits, and medians within their ranges."""

from __future__ import annotations

import doctest
import statistics

from hypothesis import given
from hypothesis import strategies as st

from benchmarks import digits

TIMES = st.lists(st.floats(1e-4, 1e5), min_size=1, max_size=7)


def test_the_examples_run():
    failed, attempted = doctest.testmod(digits)
    assert (failed, attempted > 5) == (0, True)


@given(TIMES)
def test_a_shown_median_is_in_its_shown_range_and_rounded_by_less_than_the_range(values):
    median, span = digits.to_the_range(values)
    low, high = span.split(" to ")
    assert float(low) <= float(median) <= float(high)
    error, width = abs(float(median) - statistics.median(values)), max(values) - min(values)
    exact = float(f"{statistics.median(values):.2e}")  # three significant digits
    assert error <= max(0.051 * width, 1.001 * abs(exact - statistics.median(values)) + 1e-12)


@given(TIMES)
def test_a_median_has_at_most_three_significant_digits(values):
    median = digits.to_the_range(values)[0]
    digits_of = str(int(median.replace(".", "")))
    assert len(digits_of if "." in median else digits_of.rstrip("0")) <= 3
