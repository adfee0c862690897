"""A release: its text is in the changelog, and every file names its version."""

from __future__ import annotations

import shutil

import pytest

from impls.errors import UserError
from paper_figures.publish.release import main, release_notes
from paper_figures.runs import ROOT

FILES = ("pyproject.toml", "CITATION.cff", ".zenodo.json", "CHANGELOG.md")
VERSION = "0.1.0"


@pytest.fixture
def repository(tmp_path):
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_notes_are_the_part_of_the_changelog(repository, capsys):
    notes = release_notes(f"v{VERSION}", repository)
    assert notes.startswith("The first version.") and "Unreleased" not in notes and notes.endswith(".\n")
    assert main(["v0.0.9"]) == 2
    assert "pyproject.toml has" in capsys.readouterr().err


@pytest.mark.parametrize("name", FILES)
def test_a_file_with_another_version_is_named(name, repository):
    text = (repository / name).read_text()
    (repository / name).write_text(text.replace(VERSION, "9.9.9"))
    with pytest.raises(UserError, match=name.replace(".", r"\.")):
        release_notes(f"v{VERSION}", repository)


@pytest.mark.parametrize("tag", ["0.1.0", "v0.1", "latest", "v0.1.0-rc1", "v0.1.0; rm -r x"])
def test_what_is_no_version_is_refused(tag, repository):
    with pytest.raises(UserError, match="is no version"):
        release_notes(tag, repository)
