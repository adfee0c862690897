"""A copy of the repository to run Snakemake in, so that tests may edit sources and leave results."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

NOT_COPIED = (".git", ".venv", ".snakemake", "results", "tests", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")
Snakemake = Callable[..., subprocess.CompletedProcess]
# A sitecustomize.py, which every Python imports at its start, in the jobs of Snakemake too. It refuses the frameworks,
# the files that import them, and what only training needs. Not by ImportError: callers take that for a missing extra.
REFUSE_TRAINING = """\
import re
import sys

REFUSED = re.compile(r"(torch|jax|jaxlib|sklearn|pooch|tqdm)(\\.|$)|impls(\\.\\w+)+\\.(torch|jax)_\\w+$")


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if REFUSED.match(name):
            raise RuntimeError(f"{name} must not be needed here")


sys.meta_path.insert(0, Refuse())
"""


@pytest.fixture(scope="module")
def checkout(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository without anything made; one for each test module."""
    folder = tmp_path_factory.mktemp("checkout") / "repository"
    shutil.copytree(root, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    return folder


@pytest.fixture(scope="session")
def without_training(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process in which torch, jax and all that only training needs cannot be imported."""
    folder = tmp_path_factory.mktemp("refusing")
    (folder / "sitecustomize.py").write_text(REFUSE_TRAINING)
    return {"PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def snakemake(checkout: Path) -> Snakemake:
    """Run `snakemake ARGUMENTS` in the copy; fails the test if it fails, unless `fails=True`, and if it passes then."""

    def run(*arguments: str, fails: bool = False, **environment: str) -> subprocess.CompletedProcess:
        result = subprocess.run(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=checkout,
            env=os.environ | {"XDG_CACHE_HOME": str(checkout.parent / "cache"), "OMP_NUM_THREADS": "1"} | environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert (result.returncode != 0) == fails, f"{result.args}\n{result.stdout[-4000:]}\n{result.stderr[-8000:]}"
        return result

    return run
