"""The hooks of pre-commit: the linters of `make lint`, in the versions of .venv, and they find what they should."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / ".pre-commit-config.yaml"
HOOKS = [hook for repo in yaml.safe_load(CONFIG.read_text())["repos"] for hook in repo["hooks"]]
GOOD = {"good.py": "x = 1\n", "workflows/good.smk": 'rule a:\n    output:\n        "b",\n'}
BAD = {
    "ruff-check": ("bad.py", "import os\n"),
    "ruff-format": ("bad.py", "x = {  'a':1 }\n"),
    "snakefmt": ("workflows/bad.smk", "rule a:\n  output: 'b'\n"),
}


def test_the_hooks_are_linters_of_make_lint():
    """They use the installed versions of the linters, and name no others."""
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    commands = [line.strip().replace("$(VENV_PYTHON)", ".venv/bin/python") for line in recipe.splitlines()]
    linters = [command for command in commands if re.search(r"-m (ruff|snakefmt) ", command)]
    paths = re.compile(r" (\.|Snakefile workflows)$")
    assert [hook["entry"] for hook in HOOKS] == [paths.sub("", c) for c in linters]
    assert [repo["repo"] for repo in yaml.safe_load(CONFIG.read_text())["repos"]] == ["local"]
    assert {hook["language"] for hook in HOOKS} == {"system"}


@pytest.fixture
def hooks(tmp_path: Path):
    """A function that runs the hooks on files of a new repository, whose .venv is the Python that runs this test."""

    def run(files: dict[str, str]) -> subprocess.CompletedProcess:
        python = tmp_path / ".venv/bin/python"
        for path, text in {**files, ".venv/bin/python": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        python.chmod(0o755)
        for name in (".pre-commit-config.yaml", "pyproject.toml"):
            shutil.copy(ROOT / name, tmp_path)
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
        subprocess.run(["git", "add", *files, ".pre-commit-config.yaml"], cwd=tmp_path, check=True)
        command = [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color=never"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        environment["PRE_COMMIT_HOME"] = str(tmp_path / "home")
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return run


def test_they_pass_what_is_right(hooks):
    result = hooks(GOOD)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("Passed") == len(HOOKS)


def test_each_finds_what_is_wrong(hooks):
    for hook, (path, text) in BAD.items():
        result = hooks(GOOD | {path: text})
        assert result.returncode == 1
        assert f"- hook id: {hook}\n" in result.stdout
