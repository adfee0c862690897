"""A cell is trained again if its record says so, and never because of the times of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from impls.sources import sources_sha256, training_sources
from impls.staleness import needs_training

CODE = sources_sha256(training_sources("feedforward", "jax"))
FILES = {"images.gz": "1" * 64}


def result(folder: Path, **changes) -> Path:
    record = {"status": "complete", "code": {"source_sha256": CODE}, "data": [{"files": FILES}]} | changes
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def manifest(folder: Path, files: dict[str, str] = FILES) -> Path:
    (folder / "mnist.json").write_text(json.dumps({"files": files}))
    return folder / "mnist.json"


def asked(folder: Path, manifest_file: Path) -> bool:
    return needs_training(folder, "feedforward", "jax", manifest_file)


def test_a_result_of_this_code_and_data_is_kept(tmp_path):
    assert not asked(result(tmp_path), manifest(tmp_path))
    assert not asked(result(tmp_path), tmp_path / "not made yet.json")
    assert not asked(tmp_path / "no result yet", manifest(tmp_path))


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "partial"},
        {"code": {"source_sha256": "0" * 64}},
        {"data": [{"files": {"images.gz": "2" * 64}}]},
        {"data": []},
        {"code": None},
    ],
)
def test_any_other_result_is_made_again(changes, tmp_path):
    assert asked(result(tmp_path, **changes), manifest(tmp_path))


def test_a_damaged_record_is_made_again(tmp_path):
    (tmp_path / "run.json").write_text("{")
    assert asked(tmp_path, manifest(tmp_path))
