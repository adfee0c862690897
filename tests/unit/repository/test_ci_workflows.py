"""The recipes for CI: well formed, with no more rights than they need, and every command of theirs exists."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.cli import build_parser

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text())


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def commands(path: Path) -> list[list[str]]:
    """Every command of the `run` steps as words; those of the shell itself are there too."""
    text = "\n".join(step["run"].replace("\\\n", " ") for step in steps(path) if "run" in step)
    return [shlex.split(line, comments=True) for line in text.splitlines() if line.strip()]


# Of jobs that may do more than read the repository.
RIGHTS = {
    ("docs.yml", "publish"): {"pages": "write", "id-token": "write"},
    ("release.yml", "release"): {"contents": "write"},
}


def test_every_recipe_is_there_and_explained(root):
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "docs.yml", "gpu.yml", "nightly.yml", "release.yml"]
    page = (root / "docs" / "ci.md").read_text()
    assert all(path.name in page for path in WORKFLOWS)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_rights_are_bounded(path):
    content = read(path)
    triggers = content[True]  # YAML 1.1 reads the key `on` as true
    assert "pull_request_target" not in path.read_text() and "workflow_run" not in triggers
    assert content["permissions"] == {"contents": "read"}
    assert content["concurrency"]["group"]
    for name, job in content["jobs"].items():
        assert job.get("permissions") == RIGHTS.get((path.name, name))
        assert job["timeout-minutes"] <= 180
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False
        assert "${{" not in step.get("run", ""), "what others may write must not become part of a command"
    assert "secrets" not in path.read_text()


def test_actions_are_pinned_by_hash():
    """A tag can be moved to other code, a commit cannot. Dependabot renews both the hash and the version beside it."""
    pins = {}
    for path in WORKFLOWS:
        uses = re.findall(r"\buses: +(.+)", path.read_text())
        assert len(uses) == sum("uses" in step for step in steps(path))
        for use in uses:
            match = re.fullmatch(r"(actions/[a-z-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)", use)
            assert match, f"{path.name}: {use} is not an action of GitHub's own with a full hash and its version"
            assert pins.setdefault(match[1], match[2]) == match[2], "one version in all recipes"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_command_exists(path, root):
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), re.MULTILINE))
    targets |= {f".venv/installed-{accelerator}" for accelerator in ("cpu", "cuda")}
    seen = []
    for words in commands(path):
        if words[0] == "make":
            assert words[1] in targets
            for assignment in words[2:]:
                assert assignment.split("=")[0] in (root / "Makefile").read_text()
            seen.append(words[1])
        if "-m" in words:
            module = words[words.index("-m") + 1]
            # To look for pip would make setuptools replace a distutils that another test has imported.
            assert module == "pip" or importlib.util.find_spec(module), f"there is no module {module}"
            if module == "benchmarks":
                arguments = words[words.index("-m") + 2 :]
                end = arguments.index("||") if "||" in arguments else len(arguments)
                assert build_parser().parse_args(arguments[:end]).device == "cuda"
                seen.append(arguments[0])
    wanted = {
        "ci.yml": {"lint", "test", "reproduce"},
        "docs.yml": {"docs"},
        "gpu.yml": {".venv/installed-cuda", "gpu-check", "compare"},
        "nightly.yml": {".venv/installed-cpu", "test"},
        "release.yml": {".venv/installed-cpu"},
    }
    assert set(seen) == wanted[path.name]


def test_the_site_is_published_from_main_alone(root):
    """The job that may write to the site runs none of the repository's code."""
    content = read(root / ".github" / "workflows" / "docs.yml")
    assert content[True] == {"push": {"branches": ["main"]}}
    build, publish = content["jobs"]["build"], content["jobs"]["publish"]
    assert publish["needs"] == "build"
    assert [step["uses"].split("@")[0] for step in publish["steps"]] == ["actions/deploy-pages"]
    (upload,) = [step for step in build["steps"] if step.get("uses", "").startswith("actions/upload-pages-artifact")]
    assert f". {upload['with']['path']}\n" in (root / "Makefile").read_text()


def test_the_gpu_is_for_this_repository_alone_and_for_one_job_at_a_time():
    content = read(ROOT / ".github" / "workflows" / "gpu.yml")
    job = content["jobs"]["gpu"]
    assert set(content[True]) == {"pull_request", "workflow_dispatch"}
    assert content[True]["pull_request"] == {"types": ["labeled"]}
    assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"]
    assert "github.event.label.name == 'gpu' &&" in job["if"]
    assert job["runs-on"] == ["self-hosted", "gpu"]
    assert content["concurrency"] == {"group": "gpu", "cancel-in-progress": False}


def test_a_hosted_runner_is_all_that_the_other_recipe_takes():
    content = read(ROOT / ".github" / "workflows" / "ci.yml")
    assert {job["runs-on"] for job in content["jobs"].values()} == {"ubuntu-latest"}
    assert content["concurrency"]["cancel-in-progress"] == "${{ github.ref != 'refs/heads/main' }}"


FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


@pytest.mark.parametrize("path", [path for path in FORMS if path.name != "config.yml"], ids=lambda path: path.name)
def test_an_issue_form_is_one_that_github_accepts(path):
    form = read(path)
    assert set(form) == {"name", "description", "body"}
    ids = [part["id"] for part in form["body"]]
    assert len(set(ids)) == len(ids) >= 3
    for part in form["body"]:
        assert part["type"] in ("textarea", "input") and part["attributes"]["label"]
        assert set(part) <= {"type", "id", "attributes", "validations"}
        assert set(part["attributes"]) <= {"label", "description", "placeholder", "render", "value"}
    assert any(part.get("validations", {}).get("required") for part in form["body"])
