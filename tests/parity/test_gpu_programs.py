"""JAX's programs of every ladder row compile for a GPU. No GPU is needed, but JAX's packages for one are."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from impls.sources import ROOT
from tests.support.harness import IDS

pytestmark = [
    pytest.mark.slow("compiles every row for a GPU, two minutes"),
    pytest.mark.skipif(importlib.util.find_spec("jax_cuda13_plugin") is None, reason="needs jax[cuda13]"),
]


@pytest.mark.parametrize("precision", ["fp64", "tf32"])
def test_every_row_compiles_for_an_h100(precision):
    command = [sys.executable, "-m", "tests.support.gpu_programs", precision]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert f"{len(IDS)} of {len(IDS)} rows compiled" in done.stdout, done.stdout + done.stderr[-2000:]
