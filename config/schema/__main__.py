"""JSON schemas of the configuration files. Editors complete keys, show what they mean and mark errors with them.

    python -m config.schema     writes them again, after a change of the models

They say which keys and values exist. What depends on several keys together is checked when a file is read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from benchmarks.gate.settings import Gate
from impls.campaign.job_list import GENERAL, Stage
from impls.presets import Block, Preset
from impls.registry import experiments, spec_class

FOLDER = Path(__file__).parent


class _WithoutTitles(GenerateJsonSchema):
    """Titles that only repeat the field's name say nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def texts() -> dict[str, str]:
    """Content of every schema file by its name."""
    made = {"preset.json": _preset(), "campaign.json": _campaign(), "gate.json": _schema(Gate)}
    return {name: json.dumps(schema, indent=1) + "\n" for name, schema in made.items()}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(schema_generator=_WithoutTitles)


def _closed(description: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _preset() -> dict[str, Any]:
    """In a file each experiment is a key of its own; in the model they are one field."""
    model = _schema(Preset)
    general = {name: field for name, field in model["properties"].items() if name != "experiments"}
    blocks = {name: {"$ref": f"#/$defs/{name}"} for name in experiments()}
    schema = _closed("A preset: what to run. See config/README.md.", general | blocks, model["required"])
    used = {name: model["$defs"][name] for name in ("TimingOptions",)}
    return schema | {"$defs": {name: _blocks(name) for name in experiments()} | used}


def _blocks(experiment: str) -> dict[str, Any]:
    """The list of an experiment's blocks, with the fields of its spec."""
    spec = spec_class(experiment)
    fields = _schema(spec)["properties"]
    cells = {
        name: {
            "description": fields[name].pop("description"),
            "type": "array",
            "minItems": 1,
            "items": fields.pop(name),
        }
        for name in spec.cell_fields
    }
    block = _schema(Block)["properties"]
    properties = {
        "cells": _closed(block["cells"]["description"], cells, list(cells)),
        "settings": _closed(block["settings"]["description"], fields, []),
        "replicas": block["replicas"],
    }
    items = _closed(_schema(Block)["description"], properties, ["cells"])
    description = (sys.modules[spec.__module__].__doc__ or "").partition("\n")[0]
    return {"type": "array", "description": description, "items": items}


def _campaign() -> dict[str, Any]:
    """A preset's general keys and stages, whose blocks are those of presets."""
    model = _schema(Preset)
    blocks = {name: {"$ref": f"preset.json#/$defs/{name}"} for name in experiments()}
    stage = _schema(Stage)
    stage["properties"] |= blocks
    general = {name: model["properties"][name] for name in GENERAL}
    stages = {"type": "array", "description": "the most valuable first", "minItems": 1, "items": stage}
    return _closed("A campaign. See docs/campaign.md.", general | {"stages": stages}, [*model["required"], "stages"])


if __name__ == "__main__":
    for name, text in texts().items():
        (FOLDER / name).write_text(text)
