"""What a clone and its installation have, whatever the user has set."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def test_a_clone_has_the_same_bytes_with_the_line_ends_of_windows(root: Path, tmp_path: Path):
    if not (root / ".git").exists():
        pytest.skip("needs a git repository")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{root}", clone], check=True)
    subprocess.run(["git", "-C", clone, "config", "core.autocrlf", "true"], check=True)
    (clone / ".git/index").unlink()
    subprocess.run(["git", "-C", clone, "reset", "-q", "--hard"], check=True)
    listed = subprocess.run(["git", "-C", clone, "ls-files", "--eol"], check=True, capture_output=True, text=True)
    assert listed.stdout and not [line for line in listed.stdout.splitlines() if "w/crlf" in line or "w/mixed" in line]


def test_pip_installs_into_the_virtual_environment(root: Path):
    show = "show: ; @echo $$PIP_USER,$$PIP_TARGET,$$PIP_PREFIX"
    settings = os.environ | {"PIP_USER": "1", "PIP_TARGET": "/elsewhere", "PIP_PREFIX": "/elsewhere"}
    shown = subprocess.run(
        ["make", "-s", "-f", root / "Makefile", "--eval", show, "show"], env=settings, capture_output=True, text=True
    )
    assert shown.stdout.strip() == "0,,"
