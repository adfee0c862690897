"""Data sets drawn from the seed, and what every data set says of itself."""

import json

import pytest

from impls.data import SOURCES, load, names


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", ["copy", "repeat_copy"])
def test_drawn_from_the_seed_whatever_the_source(name, source):
    dataset = load(name, source)
    assert (dataset.name, dataset.source) == (name, "generated")
    assert (dataset.files, dataset.splits, dataset.facts) == ({}, {}, {})
    assert dataset.description.startswith("characters drawn from the seed; ")


@pytest.mark.parametrize("name", names())
def test_manifest(name):
    dataset = load(name)
    manifest = json.loads(json.dumps(dataset.manifest()))
    assert list(manifest) == ["name", "source", "description", "files", "facts"]
    assert manifest == {key: getattr(dataset, key) for key in manifest}
    assert manifest["name"] == name and "\n" not in manifest["description"]
    assert manifest["source"] in ("stand-in", "generated")
    assert manifest["description"].startswith("STAND-IN for ") == (manifest["source"] == "stand-in")
    # A generated data set has neither files nor splits; every other one has both.
    assert bool(manifest["files"]) == bool(dataset.splits) == (manifest["source"] == "stand-in")
