"""One framework per process: their thread pools, and on a GPU their memory, get in each other's way."""

from __future__ import annotations

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
def pytest_terminal_summary(terminalreporter) -> None:
    """The table that the benchmark's own columns do not show."""
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
