"""The processes that run the tests: `make test` runs three."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref

import jax
import pytest

from tests import conftest
from tests.support import harness


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="the tests run in a single process")
def test_the_tests_of_a_file_are_one_group(request):
    """pytest-xdist appends the group to the name of a test. Without groups a fixture is made once per process."""
    assert request.node.nodeid.endswith(f"@{__file__}")


@pytest.mark.skipif(not conftest.MAPPINGS.exists(), reason="the system lists no memory mappings")
def test_compiled_programs_are_freed_before_there_are_too_many(monkeypatch):
    harness.forget_programs()
    programs = [jax.jit(lambda x, n=n: (x * n).sum()) for n in range(20)]
    for program in programs:
        program(jax.numpy.ones(3))
    held = conftest.memory_mappings()
    conftest.make_room_for_programs()
    assert conftest.memory_mappings() >= held, "freed although there is room"
    monkeypatch.setattr(conftest, "MOST_MAPPINGS", held - 1)
    conftest.make_room_for_programs()
    assert conftest.memory_mappings() <= held - 20


def test_garbage_of_earlier_files_is_freed_with_the_programs():
    """Only then: otherwise nothing looks for it among the objects of earlier files."""

    class Cycle:
        def __init__(self) -> None:
            self.itself = self

    gone = weakref.ref(Cycle())
    gc.freeze()  # as before each file
    gc.collect()
    assert gone() is not None
    harness.forget_programs()
    assert gone() is None


@pytest.mark.slow("starts pytest with two processes")
def test_a_test_that_crashes_its_process_ends_all_tests(tmp_path, root):
    two_tests = "import os\ndef test_fine(): pass\ndef test_crash(): os.abort()\n"
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text(two_tests)
    command = [sys.executable, "-m", "pytest", "--config-file", root / "pyproject.toml", "--rootdir", tmp_path]
    command += ["--numprocesses", "1", "--dist", "loadgroup", tmp_path]
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, env=outside, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "test_crash" in done.stdout
