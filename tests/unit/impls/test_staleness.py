"""A cell is trained again if its record says so, and never because of the times of files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from impls.experiments.feedforward.spec import Spec
from impls.presets import Preset, load_preset, result_directory
from impls.sources import sources_sha256, training_sources
from impls.staleness import needs_training

FILES = {"images.gz": "1" * 64}
CELL = {"dataset": "mnist", "model": "fcn", "depth": 3, "method": "dni"}
CODE = {"source_sha256": sources_sha256(training_sources("feedforward", "jax"))}
RECORD: dict[str, Any] = {
    "status": "complete",
    "spec": Spec(**CELL).model_dump(mode="json"),
    "seeds": [0, 1],
    "framework": "jax",
    "precision": "fp32",
    "data": [{"source": "stand-in", "files": FILES}],
    "code": CODE,
}


@pytest.fixture
def preset(tmp_path, monkeypatch) -> Preset:
    monkeypatch.chdir(tmp_path)
    cells = {name: [value] for name, value in CELL.items()}
    general = {"preset": "tiny", "data": "embedded", "frameworks": ["jax"], "replicas": 2}
    return load_preset(general | {"feedforward": [{"cells": cells, "settings": {}}]})


def asked(preset: Preset, record: str, files: dict[str, str] | None = FILES) -> bool:
    run = Path(result_directory(preset, "feedforward", CELL, "jax")) / "run.json"
    run.parent.mkdir(parents=True, exist_ok=True)
    run.write_text(record)
    manifest = Path("results/tiny/data/mnist.json")
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.unlink(missing_ok=True)
    if files is not None:
        manifest.write_text(json.dumps({"files": files}))
    return needs_training(preset, "feedforward", CELL, "jax")


def test_a_result_of_these_settings_code_and_data_is_kept(preset):
    assert needs_training(preset, "feedforward", CELL, "jax")
    assert not asked(preset, json.dumps(RECORD))
    assert not asked(preset, json.dumps(RECORD), files=None)
    assert not asked(preset, json.dumps(RECORD | {"data": [{"source": "generated", "files": FILES}]}))


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "partial"},
        {"spec": Spec(**CELL, iterations=7).model_dump(mode="json")},
        {"seeds": [0, 1, 2]},
        {"precision": "bf16"},
        {"code": {"source_sha256": "0" * 64}},
        {"data": [{"source": "stand-in", "files": {"images.gz": "2" * 64}}]},
        {"data": [{"source": "original", "files": FILES}]},
        {"data": []},
        {"code": None},
    ],
)
def test_any_other_result_is_made_again(changes, preset):
    assert asked(preset, json.dumps(RECORD | changes))


def test_a_damaged_record_is_made_again(preset):
    assert asked(preset, "{")
