"""Evaluates a finished run again from its stored parameters, without training."""

from __future__ import annotations

import importlib
from pathlib import Path

import pandas as pd

from impls.data import load
from impls.engine.files import read_arrays
from impls.engine.record import read_record, wrong_file
from impls.engine.run_folder import CURVES, PARAMETERS, RECORD
from impls.engine.splits import cell_splits
from impls.engine.state import unlike
from impls.errors import UserError
from impls.registry import implementation, spec_class


def evaluate(folder: Path) -> list[str]:
    """One line per split and metric: the mean over replicas now, and the curve's last value.

    Raises:
        UserError: the run is not finished, its files are missing, or the data differ from those it was trained on.
    """
    record = read_record(folder / RECORD)
    if record.status != "complete":
        raise UserError(
            f"{folder} is a partial run (iteration {record.iteration_reached}): finish it with train --resume"
        )
    if wrong := wrong_file(record, folder):
        raise UserError(f"{wrong}. Train the cell again")
    spec = spec_class(record.experiment).model_validate(record.spec)
    dataset = load(spec.dataset, "embedded" if record.data[0].source == "stand-in" else "original")
    if dataset.files != record.data[0].files:
        raise UserError(f"the {dataset.name} files are not those of {folder / RECORD}: their checksums differ")
    leaves, _ = read_arrays(folder / PARAMETERS)
    parameters = {p.removeprefix("parameters."): v for p, v in leaves.items() if p.startswith("parameters.")}
    runner = importlib.import_module(f"impls.engine.{record.framework}_engine").Runner(
        implementation(record.experiment, record.framework),
        spec,
        parameters,
        cell_splits(spec, dataset),
        precision=record.precision,
        device="cpu",
        steps_per_launch=1,
    )
    known = runner.leaves()
    if other := sorted(leaves.keys() - known.keys()):
        raise UserError(
            f"{folder / PARAMETERS} was written by another version of the suite: this one has no {other[0]}; "
            f"evaluate it with commit {record.code.git_commit}, or train the cell again"
        )
    if wrong := unlike(leaves, {name: known[name] for name in leaves}):
        raise UserError(f"{folder / PARAMETERS} is damaged ({wrong}). Train the cell again")
    runner.load(known | leaves)
    curves = pd.read_parquet(folder / CURVES)
    last = curves[curves.iteration == record.iteration_reached].groupby(["split", "metric"]).value.mean()
    return [
        f"{split} {metric}: {value.mean():.4f} now, {last[split, metric]:.4f} at the end of training"
        for split, examples in spec.evaluation_examples().items()
        for metric, value in runner.evaluate(split, examples).items()
    ]
