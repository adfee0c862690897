"""CHANGELOG.md: in the form of Keep a Changelog, short, and up to the version of pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "CHANGELOG.md").read_text()
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


def test_versions_are_in_order_and_end_at_the_projects():
    headings = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    versions = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - (\S+)", heading).groups() for heading in headings[1:]]
    newest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert ".".join(versions[0][:3]) == newest
    ordered = sorted(
        versions, key=lambda version: (*map(int, version[:3]), date.fromisoformat(version[3])), reverse=True
    )
    assert versions == ordered


def test_changes_stand_under_their_kind():
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        before, *parts = re.split(r"^### ", section, flags=re.MULTILINE)
        assert not re.search(r"^- ", before, re.MULTILINE)
        kinds = [part.splitlines()[0] for part in parts]
        assert kinds == [kind for kind in KINDS if kind in kinds], "each kind once, in this order"
        assert all(re.search(r"^- ", part, re.MULTILINE) for part in parts)


def test_it_stays_short():
    assert len(TEXT.splitlines()) <= 30 + 30 * TEXT.count("\n## ")
