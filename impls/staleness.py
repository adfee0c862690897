"""Whether a cell must be trained, as its record says: the times of files do not matter, so results can be copied."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from impls.engine.run_folder import RECORD, Identity, identity, recorded_identity
from impls.presets import Preset, result_directory, seeds
from impls.registry import spec_class
from impls.sources import sources_sha256, training_sources

SOURCES = {"embedded": ("stand-in", "generated"), "original": ("original", "generated")}


def needs_training(preset: Preset, experiment: str, cell: Mapping[str, Any], framework: str) -> bool:
    """Whether there is no complete run of a cell, or other settings, code or data made it.

    Data are compared with those that `python -m impls data` found for this preset, if it has run.
    """
    try:
        record = json.loads((Path(result_directory(preset, experiment, cell, framework)) / RECORD).read_bytes())
        found = recorded_identity(record)
        kept = record["status"] == "complete" and record["data"][0]["source"] in SOURCES[preset.data]
    except (FileNotFoundError, ValueError, LookupError, TypeError, RecursionError):
        return True
    return not kept or found != _wanted(preset, experiment, cell, framework, found["data"])


def _wanted(
    preset: Preset, experiment: str, cell: Mapping[str, Any], framework: str, files: dict[str, str]
) -> Identity:
    """The identity of the cell's run; its data are `files` where they are not known yet."""
    spec = spec_class(experiment)(**cell)
    manifest = Path("results", preset.preset, "data", f"{spec.dataset}.json")
    return identity(
        spec=spec.model_dump(mode="json"),
        seeds=seeds(preset, experiment, cell),
        framework=framework,
        precision=preset.precision,
        data=json.loads(manifest.read_bytes())["files"] if manifest.is_file() else files,
        source_sha256=_code(experiment, framework),
    )


@cache  # a workflow asks once for every cell
def _code(experiment: str, framework: str) -> str:
    return sources_sha256(training_sources(experiment, framework))
