"""Speed of the recurrent experiments at the paper's sizes. Run `make benchmark` on an idle machine."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.cases import names
from benchmarks.suite.training import time_training


@pytest.mark.parametrize(
    "name", names("recurrent", "carried_state", "repeat_copy_choices", "small_copy", "two_network")
)
def test_training(benchmark: BenchmarkFixture, framework: str, name: str) -> None:
    time_training(benchmark, framework, name)
