"""CITATION.cff, .zenodo.json and the licence: valid, and of the version that pyproject.toml has."""

import json
import tomllib

import jsonschema
import pytest
import yaml

from paper_figures.runs import ROOT

PAPER = "1608.05343"
AUTHORS = ["Jaderberg", "Czarnecki", "Osindero", "Vinyals", "Graves", "Silver", "Kavukcuoglu"]
# Of Zenodo's deposit metadata, those that may stand in the file.
ZENODO = {
    *("title", "upload_type", "description", "creators", "contributors", "version", "license", "access_right"),
    *("keywords", "related_identifiers", "references", "language", "notes", "communities", "publication_date"),
}


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text())


@pytest.fixture(scope="module")
def zenodo():
    return json.loads((ROOT / ".zenodo.json").read_text())


def test_the_citation_is_valid(root, citation):
    """By the format's own schema (Citation File Format 1.2.0, CC BY 4.0), as the package cffconvert carries it."""
    schema = json.loads((root / "tests/unit/repository/schemas/cff-1.2.0.schema.json").read_bytes())
    jsonschema.validators.validator_for(schema)(schema).validate(citation)


def test_version_licence_and_authors_are_the_projects(project, citation, zenodo):
    assert citation["version"] == zenodo["version"] == project["version"]
    assert citation["license"] == zenodo["license"] == project["license"]
    assert citation["authors"] == zenodo["creators"] == project["authors"]  # an entity: nobody is invented
    assert citation["title"] == zenodo["title"]
    assert "MIT License" in (ROOT / "LICENSE").read_text()


def test_the_paper_is_cited_with_its_authors(citation, zenodo):
    (paper,) = citation["references"]
    assert [author["family-names"] for author in paper["authors"]] == AUTHORS
    assert paper["doi"] == f"10.48550/arXiv.{PAPER}" and paper["year"] == 2017
    (related,) = zenodo["related_identifiers"]
    assert related["identifier"] == f"arXiv:{PAPER}"
    assert all(author in zenodo["references"][0] for author in AUTHORS)


def test_zenodo_knows_every_key(zenodo):
    assert set(zenodo) <= ZENODO
    assert (zenodo["upload_type"], zenodo["access_right"]) == ("software", "open")
    assert all(set(entry) <= {"name", "affiliation", "orcid", "gnd"} for entry in zenodo["creators"])
