"""The commit in a record is that of this code, or there is none and a reason."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from impls.errors import UserError
from impls.repository import NAMED, commit_of_code, git
from impls.sources import ROOT, portable, sources_sha256
from paper_figures.runs import read_runs
from tests.support.runs_on_disk import edit_record, write_run


@pytest.fixture(autouse=True)
def _no_commit_is_named(monkeypatch):
    """The image of the suite names one."""
    monkeypatch.delenv(NAMED, raising=False)


def repository(folder: Path) -> str:
    folder.mkdir()
    (folder / "file").write_text("1")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = ["-c", "user.name=x", "-c", "user.email=x"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", *words], cwd=folder, check=True, env=clean)
    return git("rev-parse", "HEAD", folder=folder).decode().strip()


def test_a_commit_and_its_changes(tmp_path):
    head = repository(tmp_path / "code")
    assert commit_of_code(tmp_path / "code") == (head, False, None)
    (tmp_path / "code" / "file").write_text("2")
    assert commit_of_code(tmp_path / "code") == (head, True, None)


def test_the_environment_names_no_other_repository(tmp_path, monkeypatch):
    ours, other = repository(tmp_path / "ours"), repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    assert commit_of_code(tmp_path / "ours").name == ours
    assert git("rev-parse", "HEAD", folder=tmp_path / "other").decode().strip() == other


def test_a_repository_around_the_code_is_not_its_own(tmp_path):
    repository(tmp_path / "around")
    (tmp_path / "around" / "code").mkdir()
    found = commit_of_code(tmp_path / "around" / "code")
    assert found == (None, None, "the code is not the top folder of a git repository")


def test_without_a_repository_there_is_a_reason(tmp_path, monkeypatch):
    assert commit_of_code(tmp_path).reason == "git finds no repository with a commit here"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of_code(tmp_path).reason == "git is not installed"


def test_a_commit_can_be_named_where_there_is_no_repository(tmp_path, monkeypatch):
    monkeypatch.setenv(NAMED, "a" * 40)
    assert commit_of_code(tmp_path)[:2] == ("a" * 40, None)
    head = repository(tmp_path / "code")
    assert commit_of_code(tmp_path / "code").name == head  # what git says is better
    monkeypatch.setenv(NAMED, "main")
    with pytest.raises(UserError, match="40 digits"):
        commit_of_code(tmp_path)


def test_the_sources_of_a_record_are_compared_with_those_of_the_commit_that_was_named(tmp_path):
    """`paper_figures` refuses the run of other code; a commit that is not here cannot be compared."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git repository")
    head = git("rev-parse", "HEAD").decode().strip()
    run = write_run(tmp_path)
    named = {"git_dirty": None, "git_reason": f"named by {NAMED}", "sources": ["LICENSE"]}

    def with_code(commit, content):
        code = json.loads((run / "run.json").read_bytes())["code"]
        hashed = sources_sha256(["LICENSE"], lambda name: content)
        edit_record(run, code=code | named | {"git_commit": commit, "source_sha256": hashed})

    with_code(head, git("show", f"{head}:LICENSE"))
    assert read_runs(tmp_path, "feedforward")
    with_code("0" * 40, b"of another repository")
    assert read_runs(tmp_path, "feedforward")
    with_code(head, b"edited")
    with pytest.raises(UserError, match=rf"another commit than {head[:10]}, which {NAMED} named, was run"):
        read_runs(tmp_path, "feedforward")


def test_no_folder_of_the_user_is_recorded(tmp_path, monkeypatch):
    assert portable(ROOT / "results" / "quick") == "results/quick"
    assert portable(tmp_path / "mine") == ".../mine"
    monkeypatch.chdir(ROOT)
    assert portable(Path("results/x")) == "results/x"
