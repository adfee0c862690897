"""The metadata of a crate, ro-crate-metadata.json, by the profiles that `crate` names. Needs rocrate."""

from __future__ import annotations

import mimetypes
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from impls.registry import implementation_folder
from paper_figures.drawing.captions import machines_line
from paper_figures.files import sha256
from paper_figures.runs import ROOT, Run

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
PAPER = "https://arxiv.org/abs/1608.05343"
LICENCE = "https://spdx.org/licenses/MIT"
SOFTWARE = {
    "python": ("Python", "https://www.python.org/"),
    "numpy": ("NumPy", "https://numpy.org/"),
    "torch": ("PyTorch", "https://pytorch.org/"),
    "jax": ("JAX", "https://docs.jax.dev/"),
}
FORMATS = {
    ".parquet": "application/vnd.apache.parquet",
    ".md": "text/markdown",
    ".tex": "application/x-tex",
    ".smk": "text/x-snakemake",
    ".yaml": "application/yaml",
    ".cff": "application/yaml",
}


def metadata(results: Path, runs: list[Run], files: dict[str, Path]) -> dict[str, Any]:
    """The contents of ro-crate-metadata.json; `files` by their paths in the archive."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = results.relative_to(ROOT).as_posix()
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms["sha256"] = "http://schema.org/sha256"
    authors = _add(crate, "#authors", {"@type": "Organization", "name": project["authors"][0]["name"]})
    licence = _add(crate, LICENCE, {"@type": "CreativeWork", "name": "MIT License"})
    workflow = crate.add_workflow(ROOT / "Snakefile", "Snakefile", main=True, lang="snakemake", gen_cwl=False)
    workflow["author"], workflow["license"], workflow["version"] = authors, licence, project["version"]
    described = {name: _file(crate, name, path, project["version"]) for name, path in sorted(files.items())}
    described["README.md"]["about"] = crate.root_dataset
    trainings = [_training(crate, base, run, described) for run in runs]
    made = [entity for name, entity in described.items() if name.startswith(f"{base}/")]
    root = crate.root_dataset
    root["name"] = f"{project['name']} {project['version']}: {base}"
    root["description"] = f"{project['description']}. {machines_line(runs)}"
    root["license"], root["author"], root["version"] = licence, authors, project["version"]
    root["datePublished"] = max(run.record.finished_at for run in runs)
    root["conformsTo"] = [
        _add(crate, profile, {"@type": "CreativeWork", "name": name, "version": version})
        for profile, (name, version) in PROFILES.items()
    ]
    root["citation"] = _add(crate, PAPER, _paper())
    root["mentions"] = [_workflow_run(crate, base, runs, workflow, made), *trainings]
    return crate.metadata.generate()


def _workflow_run(crate: ROCrate, base: str, runs: list[Run], workflow: Entity, made: list[Entity]) -> Entity:
    data = {entity.id: entity for run in runs for entity in _data(crate, run)}
    properties = {
        "@type": "CreateAction",
        "name": f"Run of the workflow into {base}",
        "description": "snakemake: every training below, and the tables, figures and claims drawn from them",
        "startTime": min(run.record.started_at for run in runs),
        "endTime": max(run.record.finished_at for run in runs),
    }
    action = _add(crate, "#workflow-run", properties)
    action["instrument"], action["object"], action["result"] = workflow, list(data.values()), made
    return action


def _training(crate: ROCrate, base: str, run: Run, described: dict[str, Entity]) -> Entity:
    record, folder = run.record, run.path.rpartition("/")[0]
    reached = f"{record.iteration_reached} of {record.iterations} iterations"
    properties = {
        "@type": "CreateAction",
        "name": f"Training of {folder}: {reached}, {len(record.seeds)} replicas",
        "description": record.command,
        "startTime": record.started_at,
        "endTime": record.finished_at,
    }
    if record.status == "complete":
        properties["actionStatus"] = "http://schema.org/CompletedActionStatus"
    action = _add(crate, f"#train/{folder}", properties)
    twin = f"impls/experiments/{implementation_folder(record.experiment)}/{record.framework}_impl.py"
    software = [_software(crate, name, version) for name, version in record.versions.items() if version]
    action["instrument"] = [described[twin], *software]
    facts = {
        "device": run.device,
        "precision": record.precision,
        "seeds": ", ".join(map(str, record.seeds)),
        "git commit of the code": record.code.git_commit or "none",
        "SHA-256 of the code": record.code.source_sha256,
    }
    action["object"] = [*_data(crate, run), *(_fact(crate, name, value) for name, value in facts.items())]
    action["result"] = [described[f"{base}/{folder}/{file}"] for file in ("curves.parquet", "run.json")]
    return action


def _data(crate: ROCrate, run: Run) -> list[Entity]:
    """The files that a data set was read from; or the data set itself, where the seed draws it."""
    found = []
    for entry in run.record.data:
        for name, checksum in (entry.files or {"": ""}).items():
            place = "/".join(filter(None, ("#data", entry.source, entry.name, name, checksum[:10])))
            properties = {"@type": "CreativeWork", "name": name or entry.name, "description": entry.description}
            found.append(_add(crate, place, properties | ({"sha256": checksum} if checksum else {})))
    return found


def _software(crate: ROCrate, name: str, version: str) -> Entity:
    words, url = SOFTWARE.get(name, (name, ""))
    properties = {"@type": "SoftwareApplication", "name": words, "softwareVersion": version}
    return _add(crate, f"{url}#{name}-{version}", properties | ({"url": url} if url else {}))


def _fact(crate: ROCrate, name: str, value: str) -> Entity:
    return _add(crate, f"#{name}/{value}", {"@type": "PropertyValue", "name": name, "value": value})


def _file(crate: ROCrate, name: str, path: Path, version: str) -> Entity:
    content = path.read_bytes()
    properties: dict[str, Any] = {
        "name": path.name,
        "contentSize": str(len(content)),
        "sha256": sha256(content),
        "encodingFormat": FORMATS.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain",
    }
    if name == "Snakefile":  # already there, as the workflow
        entity = crate.dereference(name)
        for key, value in properties.items():
            entity[key] = value
        return entity
    if path.suffix in (".py", ".smk"):
        properties |= {"@type": ["File", "SoftwareSourceCode"], "version": version}
    return crate.add_file(path, name, properties=properties)


def _paper() -> dict[str, Any]:
    return {
        "@type": "ScholarlyArticle",
        "name": "Decoupled Neural Interfaces using Synthetic Gradients",
        "identifier": "https://doi.org/10.48550/arXiv.1608.05343",
    }


def _add(crate: ROCrate, identifier: str, properties: dict[str, Any]) -> Entity:
    """A contextual entity, or the one of this identifier that is there already."""
    identifier = quote(identifier, safe="/:#~+,.")
    return crate.dereference(identifier) or crate.add(ContextEntity(crate, identifier, properties=properties))
