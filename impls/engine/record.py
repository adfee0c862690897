"""The run record: what ran, on which machine, and how far. Only this module writes it; reading checks it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from impls.engine.contract import Execution
from impls.engine.files import write_atomically
from impls.engine.run_folder import RECORD
from impls.errors import UserError
from impls.fields import ClosedModel, Precision, readable
from impls.repository import commit_of_code
from impls.sources import sources_sha256

SCHEMA_FILE = Path(__file__).with_name("run_record.schema.json")
REMEDY = "Delete its folder and run `snakemake` (or `python -m impls train`) again."


# Records may come from elsewhere, and their texts go into pages, tables and commands: so no markup, and no line ends.
_LETTERS = r"\w .,:;()\[\]+@/~-"
Name = Annotated[str, Field(pattern=rf"^[\w(][{_LETTERS}]*$", max_length=300)]
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f\u2028\u2029]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def as_name(text: str) -> str:
    """A text of the system, such as the name of a processor, as records allow it.

    >>> as_name("Some® <b>CPU</b>")
    'Some b CPU /b'
    """
    allowed = re.sub(f"[^{_LETTERS}]", " ", text)
    return " ".join(allowed.split()).strip(" .,:;[+@/~-")[:300] or "unknown"


class DataRecord(ClosedModel):
    """A data set as it was read."""

    name: Name
    source: Literal["original", "stand-in", "generated"]
    description: Line
    files: dict[Name, Sha256]
    facts: dict[str, float] = Field(default={})  # known facts about a stand-in, such as its entropy rate


class CodeRecord(ClosedModel):
    """The code that ran."""

    git_commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    git_dirty: bool | None
    git_reason: Line | None = None  # why commit or changes are not known
    source_sha256: Sha256
    sources: list[Name]

    @property
    def was_named(self) -> bool:
        """Whether the commit is what the environment named, and not what git said."""
        return self.git_commit is not None and self.git_dirty is None


def code_record(sources: list[str]) -> CodeRecord:
    """The record of files of this repository as they are now."""
    commit = commit_of_code()
    return CodeRecord(
        git_commit=commit.name,
        git_dirty=commit.dirty,
        git_reason=commit.reason,
        source_sha256=sources_sha256(sources),
        sources=sources,
    )


class RunRecord(ClosedModel):
    """One run of one cell in one framework: `run.json`, beside the curves."""

    schema_version: Literal[1] = 1
    experiment: Name
    cell: dict[Name, Name | bool | int | float]
    framework: Literal["torch", "jax"]
    preset: Name
    spec: dict[str, Any]
    seeds: list[int]
    replica_settings: dict[str, list[float]] = Field(default={})  # settings that differ between replicas, by replica
    facts: dict[str, float] = Field(default={})  # numbers derived from spec and data, such as a constant guess's error
    status: Literal["complete", "partial"]
    files: dict[Name, Sha256] = Field(default={})  # the SHA-256 of the run's other files; none in older records
    iteration_reached: int
    iterations: int
    diverged_seeds: list[int]
    differs_from_paper: list[Line]
    changed_choices: list[Line]
    data: list[DataRecord]
    code: CodeRecord
    versions: dict[Name, Name]
    device: dict[Name, Name | int]
    precision: Precision
    execution: Execution | None = None  # how its steps were run; None: an older record
    changes: list[Line] = Field(default=[])  # what was different when it was resumed, so that its rounding differs
    command: Line
    started_at: Name
    finished_at: Name
    wall_seconds: float
    compile_seconds: float
    evaluation_seconds: float
    model_steps_per_second: float | None  # replicas x iterations / second, without compilation and evaluation
    peak_memory_bytes: int
    sessions: int  # how often the run was started or resumed


def write_record(path: Path, record: RunRecord) -> None:
    """Write `run.json` atomically."""
    write_atomically(path, (json.dumps(record.model_dump(), indent=1) + "\n").encode())


def wrong_file(record: RunRecord, folder: Path) -> str | None:
    """The first of the files of a run that is missing or is not the one that its record names, in words; or None."""
    for name, recorded in record.files.items():
        try:
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != recorded:
                return f"{folder / name} is not the file that {RECORD} names: its checksum differs"
        except FileNotFoundError:
            return f"{folder / name} is missing"
    return None


def read_record(path: Path) -> RunRecord:
    """Read and check `run.json`; raises `UserError` if it is missing or not valid."""
    try:
        return parse_record(path.read_bytes(), path)
    except FileNotFoundError:
        raise UserError(f"no run record {path}: give the folder that `train` wrote, or train that cell first") from None


def parse_record(content: bytes, path: Path) -> RunRecord:
    """The record that `content`, of the file `path`, holds; raises `UserError`, in one line, if it is not valid."""
    try:
        return RunRecord.model_validate_json(content, strict=True)
    except (ValidationError, RecursionError) as error:
        problem = readable(error)[0] if isinstance(error, ValidationError) else "it is nested too deeply"
        raise UserError(f"{path}: not a valid run record: {problem}. {REMEDY}") from None


def schema_text() -> str:
    """The record's JSON schema, as in the repository, for readers without pydantic."""
    return json.dumps(RunRecord.model_json_schema(), indent=1) + "\n"
