"""Reads and checks run records and their curves.

A run is a folder with `run.json` (a `RunRecord`) and `curves.parquet`:
`<results>/<experiment>/<field>~<value>/.../<framework>/`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from impls.engine.record import REMEDY, RunRecord, parse_record
from impls.engine.run_folder import CURVES
from impls.errors import UserError
from impls.fields import readable
from impls.registry import experiments, spec_class
from impls.repository import NAMED, has_sources
from impls.workers.times import TIMES, WorkerTimes, parse_times
from paper_figures.files import sha256
from paper_figures.registry import Shown, is_shown

ROOT = Path(__file__).resolve().parent.parent
CURVE_COLUMNS = ["replica", "seed", "iteration", "split", "metric", "value"]


@dataclass(frozen=True)
class Run:
    """One run of one cell in one framework.

    Attributes:
        path: the path of run.json relative to the results folder, with forward slashes.
        record: the content of run.json.
        record_sha256, curves_sha256: the hashes of the two files.
        curves: columns `CURVE_COLUMNS`; a value that is not finite means that the replica had diverged.
        times: how long a batch takes if real workers train the cells of this experiment, if that was measured.
        times_sha256: the hash of the file with these times; "" if there is none.
    """

    path: str
    record: RunRecord
    record_sha256: str
    curves_sha256: str
    curves: pd.DataFrame
    times: WorkerTimes | None = None
    times_sha256: str = ""

    def curve(self, split: str, metric: str) -> pd.DataFrame:
        """The values of a metric [iterations, seeds], sorted by iteration; empty if it was not recorded."""
        chosen = self.curves[(self.curves["split"] == split) & (self.curves["metric"] == metric)]
        return chosen.pivot(index="iteration", columns="seed", values="value").sort_index()

    def replica_setting(self, name: str) -> dict[int, float]:
        """By seed, the value of a setting in which the replicas differ; raises `UserError` if the record has none."""
        values = self.record.replica_settings.get(name)
        if values is None:
            raise UserError(f"{self.path}: the record does not contain the {name} of each replica. {REMEDY}")
        return dict(zip(self.record.seeds, values, strict=True))

    def diverged_at(self) -> dict[int, int]:
        """By seed of a diverged replica, the first iteration with a value that is not finite."""
        diverged = self.curves[~np.isfinite(self.curves["value"])]
        return {int(seed): int(at) for seed, at in diverged.groupby("seed")["iteration"].min().items()}

    @property
    def cell(self) -> dict[str, Any]:
        """The fields of the cell, in the order of the path."""
        return self.record.cell

    @property
    def device(self) -> str:
        """Kind and name of the device that trained it, such as "gpu NVIDIA H100"."""
        return f"{self.record.device['kind']} {self.record.device['name']}"

    @property
    def stand_in(self) -> bool:
        """Whether any of its data replace the paper's. Data generated from the seed, as in the paper, do not."""
        return any(entry.source == "stand-in" for entry in self.record.data)


def can_be_compared(runs: Iterable[Run]) -> bool:
    """Whether any run has the paper's data and settings, if not its length: a figure then shows the paper's numbers."""
    return any(
        not run.stand_in and all(change.startswith("iterations = ") for change in run.record.differs_from_paper)
        for run in runs
    )


def read_runs(results: Path, experiment: str) -> list[Run]:
    """All runs of an experiment under `results`, sorted by path; an empty list if there are none yet.

    Raises:
        UserError: no such folder, or a run that cannot be used.
    """
    if not results.is_dir():
        raise UserError(f"{results}: no such folder. Give the folder of a preset, such as --results results/quick.")
    if not (results / experiment).is_dir():
        nested = sorted(path.relative_to(results).parts[0] for path in results.glob(f"*/{experiment}/**/run.json"))
        if nested:
            raise UserError(f"{results}: this folder contains no runs; did you mean --results {results / nested[0]}?")
    times = _read_times(results / experiment / TIMES)
    return [replace(_read_run(results, path), **times) for path in sorted((results / experiment).glob("**/run.json"))]


def read_experiments(results: Path, experiments: Iterable[str]) -> list[Run]:
    """All runs of several experiments, sorted by experiment and then by path; raises the errors of `read_runs`."""
    return [run for experiment in sorted(experiments) for run in read_runs(results, experiment)]


def all_runs(results: Path) -> list[Run]:
    """The runs of every experiment with a folder here; order and errors are those of `read_experiments`."""
    names = {path.relative_to(results).parts[0] for path in results.glob("*/*~*/**/run.json")}
    # If there are no runs, reading any experiment reports what is wrong with the folder, if anything is.
    return read_experiments(results, names or {"feedforward"})


def select_runs(runs: list[Run], **fields: Any) -> list[Run]:
    """The runs whose cell has these values, such as `select_runs(runs, dataset="mnist", model="fcn")`."""
    return [run for run in runs if all(run.cell.get(name) == value for name, value in fields.items())]


def shown_runs(results: Path, experiment: str, shown: Shown) -> list[Run]:
    """The runs of an experiment that a figure shows; the errors are those of `read_runs`."""
    return [run for run in read_runs(results, experiment) if is_shown(run.cell, shown)]


def _read_run(results: Path, path: Path) -> Run:
    content = path.read_bytes()
    record = _by_todays_defaults(parse_record(content, path), path)
    _check_place(results, path, record)
    code = record.code
    if code.was_named and not has_sources(str(code.git_commit), code.sources, code.source_sha256):
        raise UserError(
            f"{path}: another commit than {str(code.git_commit)[:10]}, which {NAMED} named, was run: its sources differ"
        )
    for name, values in record.replica_settings.items():
        if len(values) != len(record.seeds):
            counts = f"{len(values)} values for {len(record.seeds)} seeds"
            raise UserError(f"{path}: replica_settings.{name} has {counts}. {REMEDY}")
    curves_path = path.with_name(CURVES)
    if not curves_path.is_file():
        raise UserError(f"{curves_path}: missing, although run.json is present. {REMEDY}")
    curves_sha256 = sha256(curves_path.read_bytes())
    if record.files.get(CURVES, curves_sha256) != curves_sha256:
        raise UserError(f"{curves_path}: is not the file that run.json names: its checksum differs. {REMEDY}")
    curves = _read_curves(curves_path, record.seeds)
    relative = path.relative_to(results).as_posix()
    return Run(relative, record, sha256(content), curves_sha256, curves)


def _read_times(path: Path) -> dict[str, Any]:
    """The attributes of a run about the times of workers; none where they were not measured."""
    if not path.is_file():
        return {}
    content = path.read_bytes()
    return {"times": parse_times(content, path), "times_sha256": sha256(content)}


def _by_todays_defaults(record: RunRecord, path: Path) -> RunRecord:
    """The record with the fields that were added since, and its settings compared with today's defaults.

    So the verdict on an old run follows a default that has changed. A record whose experiment or fields are not today's
    is returned as it is.
    """
    if record.experiment not in experiments():
        return record
    specs = spec_class(record.experiment)
    spec = specs.completed(record.spec)
    if set(spec) != set(specs.model_fields):
        return record
    try:
        found = specs.model_validate(spec)
    except ValidationError as error:
        wrong = "; ".join(f"spec.{line}" for line in readable(error))
        raise UserError(f"{path}: {wrong}. {REMEDY}") from None
    lists = {"differs_from_paper": found.changed("paper"), "changed_choices": found.changed("choice")}
    return record.model_copy(update={"spec": spec} | lists)


def _check_place(results: Path, path: Path, record: RunRecord) -> None:
    """Rejects a record in another cell's folder, where it would count as that cell's result."""
    cell = [f"{name}~{value}" for name, value in record.cell.items()]
    expected = [record.experiment, *cell, record.framework]
    if sorted(path.relative_to(results).parts[:-1]) != sorted(expected):
        raise UserError(f"{path}: the record belongs in a different folder, {'/'.join(expected)}. {REMEDY}")


def _read_curves(path: Path, seeds: list[int]) -> pd.DataFrame:
    try:
        curves = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are subclasses of ValueError or OSError
        raise UserError(f"{path}: not a readable parquet file ({error}). {REMEDY}") from None
    missing = [name for name in CURVE_COLUMNS if name not in curves]
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)}. {REMEDY}")
    curves = curves[CURVE_COLUMNS]
    if len(set(seeds)) < len(seeds) or set(curves["seed"]) != set(seeds):
        raise UserError(f"{path}: its seeds {sorted(set(curves['seed']))} differ from the record's, {seeds}. {REMEDY}")
    if curves.duplicated(["seed", "iteration", "split", "metric"]).any():
        raise UserError(f"{path}: contains the same point twice. {REMEDY}")
    return curves
