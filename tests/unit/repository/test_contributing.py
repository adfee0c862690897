"""CONTRIBUTING.md: short, and everything that it names exists."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from benchmarks.cli import build_parser as benchmarks_parser
from impls.cli import build_parser as impls_parser
from impls.registry import experiments

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
BLOCKS = "\n".join(re.findall(r"^ *```\n(.*?)^ *```", TEXT, re.MULTILINE | re.DOTALL))
NAMES = {path.name for folder in ("config", "impls", "paper_figures") for path in (ROOT / folder).rglob("*.*")}
COMMANDS = [words for line in BLOCKS.splitlines() if (words := shlex.split(line, comments=True))]


def test_it_stays_short():
    assert len(TEXT.splitlines()) < 150


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w./-]+/[\w./-]*|\w+\.\w+)`", TEXT))))
def test_every_path_exists(path: str):
    """From the root; a file without a folder, somewhere in the packages."""
    assert (ROOT / path).exists() or path in NAMES


def test_every_make_target_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {words[1] for words in COMMANDS if words[0] == "make"} | set(re.findall(r"`make (\w+)`", TEXT))
    assert {"quicktest", "test", "lint"} <= named <= targets


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[0] == "python"], ids=" ".join)
def test_every_command_is_understood(words: list[str]):
    module, arguments = words[2], words[3:]
    assert words[1] == "-m" and importlib.util.find_spec(module)
    if module == "impls":
        assert impls_parser().parse_args(arguments).experiment
    elif module == "benchmarks":
        assert benchmarks_parser().parse_args(arguments).base == "main"
    else:
        assert module == "pytest", "say here how to check it"
        file, _, selected = arguments
        assert selected in experiments() or selected in (ROOT / file).read_text()


def test_the_readme_leads_here():
    readme = (ROOT / "README.md").read_text()
    assert "(CONTRIBUTING.md)" in readme and "### Adding an experiment" not in readme
