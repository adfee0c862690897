"""The workflow in folders of any name, started from anywhere, and after a kill."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.runs_on_disk import write_run

pytestmark = pytest.mark.slow("runs Snakemake")
ODD = ("x;touch PWNED;y", "Tesla V100", "a $(touch PWNED)'b")


def test_a_folder_of_published_results_may_have_any_name(snakemake, checkout: Path):
    for name in ODD:
        write_run(checkout / "results/published" / name)
    tables = [f"results/published/{name}/tables/table_feedforward.md" for name in ODD]
    snakemake(*tables, "--config", "source=published")
    assert all((checkout / table).is_file() for table in tables)
    assert not list(checkout.rglob("PWNED"))
    write_run(checkout / "results/published/a{1}")
    refused = snakemake(*tables, "--config", "source=published", fails=True)
    assert "results/published/a{1}: Snakemake takes braces for wildcards" in refused.stdout + refused.stderr


def test_a_clone_may_have_any_name_and_a_call_come_from_anywhere(checkout: Path, tmp_path: Path):
    clone = tmp_path / "bob's dni{1}; touch PWNED" / "clone"
    shutil.copytree(checkout, clone, ignore=shutil.ignore_patterns("results", ".snakemake"))
    (clone / "impls/data/.#mnist.py").symlink_to("what an editor locks")
    (clone / ".snakemake/locks").mkdir(parents=True)
    (clone / ".snakemake/locks/0.output.lock").write_text("results/smoke/data/mnist.json\n")  # of a killed call
    words = ["results/smoke/data/mnist.json", "-s", str(clone / "Snakefile")]
    command = [sys.executable, "-m", "snakemake", *words, "--configfile", str(clone / "config/smoke.yaml")]
    profile = ["--workflow-profile", str(clone / "profiles/default")]
    done = subprocess.run(
        [*command, *profile], cwd=tmp_path, env=os.environ | {"PYTHONPATH": ""}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (clone / "results/smoke/data/mnist.json").is_file()
    assert not list(tmp_path.rglob("PWNED"))
