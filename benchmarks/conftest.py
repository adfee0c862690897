"""One framework per process, because two in one process compete for threads and, on a GPU, for memory."""

from __future__ import annotations

from typing import Any

import pytest

from impls.engine.environment import prepare_environment
from impls.engine.machine import usable_cpus


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--framework", choices=("torch", "jax"), default="torch", help="which implementation to time")


def pytest_configure() -> None:
    prepare_environment(usable_cpus())


@pytest.fixture(scope="session")
def framework(request: pytest.FixtureRequest) -> str:
    return request.config.getoption("--framework")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write what the columns of pytest-benchmark do not show: the share of the limit."""
    rows = [
        (b["name"], b["extra_info"])
        for b in (bench.as_dict(include_data=False) for bench in terminalreporter.config._benchmarksession.benchmarks)
        if "fraction_of_limit" in b["extra_info"]
    ]
    for name, info in rows:
        terminalreporter.write_line(
            f"{name}: {info['milliseconds_per_step']:.1f} ms/step, {info['model_steps_per_second']:.1f} model-steps/s, "
            f"{info['fraction_of_limit']:.0%} of {info['limit_gflops']:.0f} GFLOP/s"
        )
