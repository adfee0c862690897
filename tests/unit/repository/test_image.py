"""The image of Dockerfile: what it takes from the repository, and what it leaves out."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import yaml

PYTHON_OF_DEBIAN = {"bookworm": (3, 11), "trixie": (3, 13)}


def instructions(root: Path) -> list[list[str]]:
    """The instructions of Dockerfile as words."""
    text = (root / "Dockerfile").read_text().replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in text.splitlines() if line and not line.startswith("#")]


def ignored(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def as_docker_writes(pattern: str) -> str:
    """A pattern of .gitignore for .dockerignore: from the top, or with **/ in any folder."""
    start, pattern = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    anywhere = "/" not in pattern.rstrip("/")
    return start + ("**/" if anywhere else "") + pattern.strip("/")


def test_all_that_the_image_copies_is_here(root: Path):
    copied = [words[2:-1] for words in instructions(root) if words[0] == "COPY"]
    assert copied[-1] == ["."] and all((root / name).exists() for names in copied for name in names)


def test_a_change_of_the_code_does_not_install_the_packages_again(root: Path):
    """Before the packages are installed, only the files are copied that say which."""
    words = instructions(root)
    makes = [any(word.startswith(".venv/installed-") for word in instruction) for instruction in words]
    (copied,) = [instruction for instruction in words[: makes.index(True)] if instruction[0] == "COPY"]
    assert set(copied[2:-1]) == {"pyproject.toml", "constraints.txt", "Makefile", "LICENSE"}


def test_what_git_ignores_and_the_repository_itself_stay_out(root: Path):
    assert {".git", ".venv"} <= set(ignored(root / ".dockerignore"))
    assert ignored(root / ".dockerignore") == [".git", *map(as_docker_writes, ignored(root / ".gitignore"))]


def test_the_python_of_the_image_is_supported(root: Path):
    base = re.fullmatch(r"debian:(\w+)-slim", next(words[1] for words in instructions(root) if words[0] == "FROM"))[1]
    required = tomllib.loads((root / "pyproject.toml").read_text())["project"]["requires-python"]
    assert PYTHON_OF_DEBIAN[base] >= tuple(map(int, required.removeprefix(">=").split(".")))


def test_the_image_is_used_where_it_puts_the_suite(root: Path):
    """By the recipe for CI with the arguments that it has, and by the development container."""
    (folder,) = [words[1] for words in instructions(root) if words[0] == "WORKDIR"]
    text = (root / ".devcontainer" / "devcontainer.json").read_text()
    container = json.loads(re.sub(r"^ *//.*", "", text, flags=re.MULTILINE))
    assert container["workspaceFolder"] == folder
    assert (root / ".devcontainer" / container["build"]["dockerfile"]).resolve() == root / "Dockerfile"

    job = yaml.safe_load((root / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["image"]
    build = next(step["run"] for step in job["steps"] if "docker build" in step.get("run", ""))
    arguments = {words[1].split("=")[0] for words in instructions(root) if words[0] == "ARG"}
    assert set(re.findall(r"--build-arg (\w+)", build)) <= arguments
