"""Editor schemas of the configuration files: fresh, named by every file, and right about what is in them."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from benchmarks.gate.settings import FILE as GATE
from config.schema.__main__ import FOLDER, texts

FILES = [*sorted(FOLDER.parent.glob("*.yaml")), GATE]


def read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text()) if path.suffix == ".toml" else yaml.safe_load(path.read_text())


def named_schema(path: Path) -> Path:
    """The schema that the file's first line names, from the file's folder, as editors read it."""
    comment = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)|#:schema (\S+)", path.read_text().splitlines()[0])
    return (path.parent / (comment[1] or comment[2])).resolve()


def validator(path: Path) -> Draft202012Validator:
    """Of the file's schema; its references are file names beside it."""
    contents = {file.name: json.loads(file.read_text()) for file in FOLDER.glob("*.json")}
    resources = [(name, Resource(content, DRAFT202012)) for name, content in contents.items()]
    return Draft202012Validator(contents[named_schema(path).name], registry=Registry().with_resources(resources))


@pytest.mark.parametrize("name", texts())
def test_the_schemas_in_the_repository_are_the_models_own(name: str):
    assert (FOLDER / name).read_text() == texts()[name], "write them: python -m config.schema"


def test_no_other_schema_is_left():
    assert sorted(path.name for path in FOLDER.glob("*.json")) == sorted(texts())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_names_its_schema_and_fits_it(path: Path):
    assert named_schema(path).parent == FOLDER
    validator(path).validate(read(path))


def block(content: dict[str, Any]) -> dict[str, Any]:
    return content["feedforward"][0]


@pytest.mark.parametrize(
    ("file", "change", "place"),
    [
        ("quick.yaml", lambda c: c.update(replica=3), []),
        ("quick.yaml", lambda c: c.pop("replicas"), []),
        ("quick.yaml", lambda c: c.update(experiments={}), []),
        ("quick.yaml", lambda c: c.update(frameworks=["torhc"]), ["frameworks", 0]),
        ("quick.yaml", lambda c: block(c)["cells"].pop("method"), ["feedforward", 0, "cells"]),
        ("quick.yaml", lambda c: block(c)["cells"].update(method=["cdn"]), ["feedforward", 0, "cells", "method", 0]),
        ("quick.yaml", lambda c: block(c)["cells"].update(depth=4), ["feedforward", 0, "cells", "depth"]),
        ("quick.yaml", lambda c: block(c)["settings"].update(depth=4), ["feedforward", 0, "settings"]),
        (
            "quick.yaml",
            lambda c: block(c)["settings"].update(batch_size=0),
            ["feedforward", 0, "settings", "batch_size"],
        ),
        ("campaign.yaml", lambda c: c.update(source="runs"), []),
        ("campaign.yaml", lambda c: c["stages"][0].pop("title"), ["stages", 0]),
        ("campaign.yaml", lambda c: block(c["stages"][0]).update(cell={}), ["stages", 0, "feedforward", 0]),
        ("gate.toml", lambda c: c.update(level=0.6), ["level"]),
        ("gate.toml", lambda c: c["margins"][0].pop("reason"), ["margins", 0]),
    ],
)
def test_a_mistake_is_marked_where_it_stands(file: str, change, place: list[str | int]):
    (path,) = (path for path in FILES if path.name == file)
    content = copy.deepcopy(read(path))
    change(content)
    with pytest.raises(ValidationError) as error:
        validator(path).validate(content)
    assert list(error.value.absolute_path) == place
