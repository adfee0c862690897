"""Settings and fixtures of all tests."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.signals import reach_children

os.environ.setdefault("OMP_NUM_THREADS", "1")

# On busy cores a single example may be slow without anything being wrong: no deadline.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")


MAPPINGS = Path("/proc/self/maps")  # on Linux
MOST_MAPPINGS = 30_000  # half of what Linux allows a process


def memory_mappings() -> int:
    """The number of this process's memory mappings; 0 where the system does not list them."""
    return MAPPINGS.read_bytes().count(b"\n") if MAPPINGS.exists() else 0


def make_room_for_programs() -> None:
    """Free the compiled JAX programs if there are many.

    On the CPU each takes about 170 memory mappings. Linux allows a process 65,530, and XLA crashes beyond them.
    """
    if "jax" in sys.modules and memory_mappings() > MOST_MAPPINGS:
        from tests.support.harness import forget_programs

        forget_programs()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--device", choices=("cpu", "cuda"), default="cpu", help="where the parity ladder's runs are (all else: cpu)"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Set what the frameworks read when they are imported, which is later."""
    config.addinivalue_line("markers", "xdist_group: tests that run in one process (known without xdist, too)")
    reach_children()
    os.environ["DNI_TEST_DEVICE"] = device = config.getoption("--device")
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # more are processes, each of which imports PyTorch
    if device == "cpu":
        # Tests compile many small programs and run each for a moment, so XLA is told to optimise less. Its older code
        # for fused operations then compiles in half the time.
        flags = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}"
    else:
        # Leaves GPU memory to PyTorch and to other processes.
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With pytest-xdist, the tests of one file run in one process and share its fixtures, unless they name a group.

    The files of tests/workflow take longest and come first, so that all processes end at about the same time.

    Raises:
        pytest.UsageError: a test is marked slow without a reason.
    """
    for item in items:
        if any(len(mark.args) != 1 for mark in item.iter_markers("slow")):
            raise pytest.UsageError(f'{item.nodeid}: write the reason, as in @pytest.mark.slow("runs snakemake")')
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
    items.sort(key=lambda item: "workflow" not in item.path.parts)


def pytest_collection_finish() -> None:
    """Let Python look for garbage less often: tracing a step makes millions of objects that live on."""
    gc.collect()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="module", autouse=True)
def _look_for_garbage_in_new_objects_only() -> None:
    """Not in imported packages and the programs of earlier files: to look through them takes half a second.

    A library of the figures looks at every call.
    """
    gc.freeze()


@pytest.fixture(autouse=True)
def _room_for_programs() -> Iterator[None]:
    yield
    make_room_for_programs()


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return Path(__file__).resolve().parent.parent
