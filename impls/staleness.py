"""Whether a cell must be trained, as its record says: the times of files do not matter, so results can be copied."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from impls.engine.run_folder import RECORD
from impls.sources import sources_sha256, training_sources


def needs_training(folder: Path, experiment: str, framework: str, manifest: Path) -> bool:
    """Whether the run in `folder` is not complete, or other code or data made it. False if there is no run yet.

    Args:
        manifest: the description of the data set that is now there, as `python -m impls data` writes it.
    """
    try:
        record = json.loads((folder / RECORD).read_bytes())
        made_by, data, status = record["code"]["source_sha256"], record["data"][0]["files"], record["status"]
    except FileNotFoundError:
        return False
    except (ValueError, LookupError, TypeError, RecursionError):
        return True
    if status != "complete" or made_by != _code(experiment, framework):
        return True
    return manifest.is_file() and json.loads(manifest.read_bytes())["files"] != data


@cache  # a workflow asks once for every cell
def _code(experiment: str, framework: str) -> str:
    return sources_sha256(training_sources(experiment, framework))
