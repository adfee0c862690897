"""The research object: what Workflow Run Crate 0.5, and the profiles that it extends, require; and that it is whole.

The requirements are those that the profiles state as MUST. (The profiles' own validator needs the network for the
JSON-LD context, so it does not run here.)
"""

import hashlib
import io
import json
import os
import re
import zipfile
from urllib.parse import unquote

import pytest

from impls.errors import UserError
from paper_figures.publish import crate
from paper_figures.runs import ROOT
from tests.support.runs_on_disk import write_run

FOLDER = min(path for path in (ROOT / "results/published").glob("*/") if next(path.rglob("run.json"), None))
BASE = FOLDER.relative_to(ROOT).as_posix()
OBJECTS = {
    "File",
    "Dataset",
    "Collection",
    "CreativeWork",
    "PropertyValue",
}  # what goes into and comes out of an action


@pytest.fixture(scope="module")
def archive():
    return crate.make(FOLDER)


@pytest.fixture(scope="module")
def contents(archive):
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


@pytest.fixture(scope="module")
def document(contents):
    return json.loads(contents["ro-crate-metadata.json"])


@pytest.fixture(scope="module")
def entities(document):
    found = {entity["@id"]: entity for entity in document["@graph"]}
    assert len(found) == len(document["@graph"])
    return found


def many(value):
    return [] if value is None else value if isinstance(value, list) else [value]


def types(entity):
    return set(many(entity["@type"]))


def references(entities, entity, name):
    return [entities[reference["@id"]] for reference in many(entity.get(name))]


def actions(entities):
    return [entity for entity in entities.values() if "CreateAction" in types(entity)]


def test_the_json_ld_is_flat_and_every_reference_has_its_entity(document, entities):
    assert document["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    for entity in entities.values():
        assert entity["@id"] and entity["@type"]
        for name, value in entity.items():
            for part in many(value):
                if isinstance(part, dict):
                    assert part.keys() == {"@id"}, (entity["@id"], name)
                    outside = part["@id"].startswith("http") and name in ("conformsTo", "url", "identifier")
                    assert part["@id"] in entities or outside, (entity["@id"], name, part)


def test_descriptor_and_root_are_as_ro_crate_asks(entities):
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert descriptor["about"] == {"@id": "./"}
    assert {"@id": "https://w3id.org/ro/crate/1.1"} in many(descriptor["conformsTo"])
    assert types(root) == {"Dataset"} and root["name"] and root["description"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\+00:00", root["datePublished"])
    (licence,) = references(entities, root, "license")
    assert licence["@id"] == "https://spdx.org/licenses/MIT"


def test_the_profiles_are_named_as_creative_works(entities):
    profiles = references(entities, entities["./"], "conformsTo")
    assert all(types(profile) == {"CreativeWork"} for profile in profiles)
    for place in ("wfrun/process/0.5", "wfrun/workflow/0.5", "workflowhub/workflow-ro-crate/1.0"):
        assert any(profile["@id"].endswith(place) for profile in profiles), place


def test_the_main_entity_is_the_workflow_in_snakemake(entities):
    (workflow,) = references(entities, entities["./"], "mainEntity")
    assert workflow["@id"] == "Snakefile"
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} <= types(workflow)
    (language,) = references(entities, workflow, "programmingLanguage")
    assert (types(language), language["name"]) == ({"ComputerLanguage"}, "Snakemake")


def test_actions_have_instruments_and_one_is_the_run_of_the_workflow(entities):
    mentioned = [entity["@id"] for entity in references(entities, entities["./"], "mentions")]
    runs = sorted(FOLDER.rglob("run.json"))
    assert len(actions(entities)) == 1 + len(runs)
    for action in actions(entities):
        assert action["@id"] in mentioned and action["name"] and action["description"]
        instruments = references(entities, action, "instrument")
        assert instruments
        assert all(types(entity) & {"SoftwareApplication", "SoftwareSourceCode"} for entity in instruments)
        assert references(entities, action, "result"), action["@id"]
        for name in ("object", "result"):
            assert all(types(entity) & OBJECTS for entity in references(entities, action, name)), action["@id"]
        assert action["startTime"] <= action["endTime"]
        assert "agent" not in action
    assert any(action["instrument"] == {"@id": "Snakefile"} for action in actions(entities))


def test_a_training_has_what_its_record_says(entities, contents):
    for path in sorted(FOLDER.rglob("run.json")):
        record, place = json.loads(path.read_bytes()), path.parent.relative_to(FOLDER).as_posix()
        action = entities[f"#train/{place}"]
        assert (action["description"], action["endTime"]) == (record["command"], record["finished_at"])
        assert ("actionStatus" in action) == (record["status"] == "complete")
        checksums = {entity.get("sha256") for entity in references(entities, action, "object")}
        assert {checksum for data in record["data"] for checksum in data["files"].values()} <= checksums
        software = {entity.get("softwareVersion") for entity in references(entities, action, "instrument")}
        assert {version for version in record["versions"].values() if version} <= software
        values = {entity.get("value") for entity in references(entities, action, "object")}
        assert f"{record['device']['kind']} {record['device']['name']}" in values
        made = {unquote(entity["@id"]) for entity in references(entities, action, "result")}
        assert made == {f"{BASE}/{place}/curves.parquet", f"{BASE}/{place}/run.json"}


def test_every_file_is_packed_described_and_of_its_checksum(entities, contents):
    files = {unquote(entity["@id"]): entity for entity in entities.values() if "File" in types(entity)}
    assert files.keys() == contents.keys() - {"ro-crate-metadata.json"}
    for name, entity in files.items():
        assert entity["sha256"] == hashlib.sha256(contents[name]).hexdigest(), name
        assert entity["contentSize"] == str(len(contents[name]))
    parts = {unquote(entity["@id"]) for entity in references(entities, entities["./"], "hasPart")}
    assert parts == files.keys()
    made = {unquote(entity["@id"]) for entity in references(entities, entities["#workflow-run"], "result")}
    assert made == {name for name in files if name.startswith(f"{BASE}/")}
    assert any(name.endswith("/table_feedforward.csv") for name in made)
    assert {
        "LICENSE",
        "CITATION.cff",
        "impls/experiments/feedforward/torch_impl.py",
        "paper_figures/claims/claims.csv",
    } <= files.keys()


def test_the_same_results_give_the_same_bytes(archive, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    os.utime(FOLDER / "claims.csv")
    assert crate.make(FOLDER) == archive


def test_leftovers_stay_out(tmp_path):
    results = tmp_path / "results/quick"
    run = write_run(results, iterations=100)
    for name in ("checkpoint.npz", ".lock", "../../logs/x.log"):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).touch()
    found = {path.name for path in crate._results(results)}
    assert found == {"run.json", "curves.parquet"}


def test_a_folder_elsewhere_or_without_runs_is_one_clear_error(tmp_path, capsys):
    assert crate.main(["--results", str(tmp_path)]) == 2
    assert "lies outside the repository" in capsys.readouterr().err
    with pytest.raises(UserError, match="holds no run"):
        crate.make(ROOT / "docs")
