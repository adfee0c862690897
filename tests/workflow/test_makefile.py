"""The Makefile and .ci/run, with stand-ins for Python and apt-get that write down how they are called."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

FAKE_PYTHON = """\
#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in
    *"$BROKEN"*) exit 1 ;;
    --version) echo "Python 3.9.1" ;;
    "-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
esac
"""
FAKE_APT = """\
#!/bin/sh
echo "apt-get $@" >> "$CALLS"
"""
FOR_TESTS = ("chromium", "chromedriver", "slurmctld", "munged")
PYTEST = "-m pytest --numprocesses 3 --dist loadgroup --no-loadscope-reorder"
INSTALL = "-m pip install --constraint constraints.txt --editable .[torch,jax,workflow,docs,dev]"
SPHINX = "-m sphinx --quiet --fail-on-warning --jobs auto --conf-dir docs . build/docs"


@pytest.fixture
def make(root: Path, tmp_path: Path) -> Callable[..., tuple[subprocess.CompletedProcess, list[str]]]:
    """Run a command in a folder with the build's files; returns its result and the calls of Python that it made."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", ".ci/run"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    python, calls, programs = tmp_path / "fake-python", tmp_path / "calls", tmp_path / "bin"
    programs.mkdir()
    # The system's programs, with a stand-in for the one that installs others.
    for program in {path.name: path for path in [*Path("/bin").iterdir(), *Path("/usr/bin").iterdir()]}.values():
        if program.name not in (*FOR_TESTS, "apt-get"):
            (programs / program.name).symlink_to(program)
    for script, text in ((python, FAKE_PYTHON), (programs / "apt-get", FAKE_APT)):
        script.write_text(text)
        script.chmod(script.stat().st_mode | stat.S_IXUSR)

    def run(
        *command: str, broken: str = "no call at all", for_tests: bool = True
    ) -> tuple[subprocess.CompletedProcess, list[str]]:
        calls.write_text("")
        for name in FOR_TESTS:
            (programs / name).unlink(missing_ok=True)
            if for_tests:
                shutil.copy(programs / "apt-get", programs / name)
        ours = {"PYTHON": str(python), "CALLS": str(calls), "BROKEN": broken}
        # Started by `make test`, these tests must not hand on what that make was told.
        outer = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        outer["PATH"] = str(programs)
        result = subprocess.run(command, cwd=tmp_path, env=outer | ours, capture_output=True, text=True)
        return result, calls.read_text().splitlines()

    return run


@pytest.mark.parametrize(("target", "call"), [("test", PYTEST), ("reproduce", "-m snakemake"), ("docs", SPHINX)])
def test_a_target_sets_up_once_and_then_runs(make, target: str, call: str):
    result, calls = make("make", target)
    assert result.returncode == 0, result.stderr
    assert calls[-3:] == ["-m venv --clear .venv", INSTALL, call]
    assert make("make", target)[1] == [call]


def test_changed_requirements_are_installed_into_the_same_environment(make, tmp_path: Path):
    make("make", "test")
    for name in ("pyproject.toml", "constraints.txt"):
        soon = time.time() + 5
        os.utime(tmp_path / name, (soon, soon))
        assert make("make", "test")[1] == ["-m pip --version", INSTALL, PYTEST]
        os.utime(tmp_path / name, (1, 1))


def test_without_constraints_the_newest_versions_are_installed(make):
    assert INSTALL.replace("--constraint constraints.txt ", "") in make("make", "test", "CONSTRAINTS=")[1]
    assert make("make", "test", "CONSTRAINTS=")[1] == [PYTEST]


@pytest.mark.parametrize("broken", ["-m venv", "-m pip install"])
def test_an_interrupted_set_up_is_taken_up_again(make, broken: str):
    result, calls = make("make", "test", broken=broken)
    assert result.returncode != 0
    assert PYTEST not in calls
    assert make("make", "test")[1][-2:] == [INSTALL, PYTEST]


def test_an_environment_that_does_not_start_is_made_anew(make, tmp_path: Path):
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / ".venv/bin/python").chmod(0o755)
    assert "-m venv --clear .venv" in make("make", "test")[1]


def test_an_old_python_is_refused_with_what_to_do(make):
    result, calls = make("make", "test", broken="-c import sys")
    assert result.returncode != 0
    assert not any("venv" in call for call in calls)
    assert "Python 3.11 or newer is needed" in result.stderr
    assert "is Python 3.9.1" in result.stderr
    assert "make test PYTHON=" in result.stderr


def test_a_missing_python_is_refused_with_what_to_do(make):
    result, _ = make("make", "test", "PYTHON=python-that-is-not-there")
    assert result.returncode != 0
    assert "Python 3.11 or newer is needed, and 'python-that-is-not-there' is" in result.stderr


def test_a_gpu_adds_the_cuda_libraries(make):
    _, calls = make("make", "reproduce", "ACCELERATOR=cuda")
    assert INSTALL.replace("dev]", "dev,cuda]") in calls
    result, calls = make("make", "reproduce", "ACCELERATOR=gpu")
    assert result.returncode != 0
    assert "write ACCELERATOR=cpu or ACCELERATOR=cuda" in result.stderr


def test_arguments_reach_pytest_and_snakemake(make):
    assert make("make", "test", "PYTEST_ARGS=-k preset")[1][-1] == f"{PYTEST} -k preset"
    assert make("make", "quicktest", "PYTEST_ARGS=-k preset")[1][-1] == f"{PYTEST} -m not slow -k preset"
    assert make("make", "reproduce", "SNAKEMAKE_ARGS=-n")[1][-1] == "-m snakemake -n"


def test_plain_make_shows_every_target(make, tmp_path: Path):
    result, calls = make("make")
    assert calls == []
    for target in ("reproduce", "test", "quicktest", "docs", "lint", "format", "clean"):
        assert f"  {target} " in result.stdout


def test_ci_lints_and_then_ends_with_the_tests(make):
    result, calls = make(".ci/run")
    assert result.returncode == 0, result.stderr
    assert calls[-7:] == [
        "-m ruff check .",
        "-m ruff format --check .",
        "-m mypy",
        "-m snakefmt --check Snakefile workflows",
        "-m snakemake --lint",
        SPHINX,
        PYTEST,
    ]


def test_ci_installs_the_browser_and_slurm_where_there_are_none(make):
    assert not any(call.startswith("apt-get") for call in make(".ci/run")[1])
    result, calls = make(".ci/run", for_tests=False)
    assert result.returncode == 0, result.stderr
    assert calls[:4] == [
        "apt-get update --quiet=2",
        "apt-get install --quiet=2 --yes --no-install-recommends chromium chromium-driver",
        "apt-get update --quiet=2",
        "apt-get install --quiet=2 --yes --no-install-recommends slurm-wlm munge",
    ]


@pytest.mark.parametrize("broken", ["-m ruff check", "-m snakemake --lint", "-m sphinx", "-m pytest"])
def test_ci_fails_with_each_of_its_parts(make, broken: str):
    assert make(".ci/run", broken=broken)[0].returncode != 0
