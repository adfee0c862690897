"""Runs as training would have left them on disk, written without training anything; and ways to damage them."""

import json
import math

import numpy as np
import pandas as pd

from paper_figures.runs import CURVE_COLUMNS

METHODS = ("no_bprop", "bprop", "dni", "cdni")
FINAL = {
    "no_bprop": 4.5,
    "bprop": 1.9,
    "dni": 2.2,
    "cdni": 2.0,
    "stale": 4.2,
    "delayed": 2.0,
}  # percent, at three layers
STAND_INS = {
    "mnist": "stand-in: scikit-learn's 8x8 digits enlarged to 28x28 (1500 train, 297 test)",
    "cifar10": "stand-in: ten procedural classes of 32x32 colour images (2000 train, 500 test)",
}
EQUAL = [2.15, 2.2, 2.25]  # percent of three replicas, whose mean is the paper's number for dni at 4 layers


def write_run(
    results,
    framework="torch",
    depth=4,
    method="dni",
    final=None,
    seeds=(0, 1, 2),
    iterations=500_000,
    reached=None,
    evaluate_every=None,
    diverged=0,
    source="original",
    differs=(),
    choices=(),
    preset="paper",
    *,
    experiment="feedforward",
    dataset="mnist",
    model="fcn",
    cell=None,
    metrics=None,
    replica_settings=None,
):
    """Writes one run, with smooth and noisy curves; returns its folder.

    Args:
        final: percent of test error at the end; a list gives every replica's. By default made up from the cell.
        diverged: how many replicas, from the first on, diverge after a third of the run.
        cell: the cell's fields after the method, in the order of the path, such as {"cut_after": 1}.
        metrics: further curves, {(split, metric): values}: `values` is what they end at (a number, or one per replica),
            or a function of (replica, iteration) that returns the value. ("test", "error") in it replaces that curve.
        replica_settings: {name: one value per seed}; left out of the record where it is None, as in older records.
    """
    cell = {"dataset": dataset, "model": model, "depth": depth, "method": method, **(cell or {})}
    reached = iterations if reached is None else reached
    every = evaluate_every or max(1, iterations // 100)
    evaluated = np.array(sorted({*range(0, reached + 1, every), reached}))
    rng = np.random.default_rng([*"/".join(f"{value}" for value in cell.values()).encode(), len(framework)])
    if final is None:
        final = FINAL[method] * (1 + 0.35 * (depth - 3) * (method in ("no_bprop", "dni", "stale")))
        final = [final * rng.uniform(0.96, 1.04) for _ in seeds]
    metrics = {("test", "error"): final, **(metrics or {})}

    def curve(values, replica):
        if callable(values):
            return np.array([values(replica, int(iteration)) for iteration in evaluated], dtype=float)
        goal = values[replica] if isinstance(values, list | tuple) else values
        started = goal + 88 * np.exp(-5 * (evaluated / (0.3 * reached)) ** 0.4)
        noisy = np.minimum(started * rng.uniform(0.97, 1.03, len(evaluated)), 90.0)
        return np.where(evaluated < reached, noisy, goal)

    parts = []
    for replica, seed in enumerate(seeds):
        points = {place: curve(values, replica) for place, values in metrics.items()}
        points.setdefault(("test", "loss"), points["test", "error"] / 30)
        for (split, metric), values in points.items():
            if replica < diverged:
                values = np.where(evaluated > reached // 3, math.nan, values)
            part = {"replica": replica, "seed": seed, "iteration": evaluated, "split": split, "metric": metric}
            parts.append(pd.DataFrame({**part, "value": values}))
    description = STAND_INS[dataset] if source == "stand-in" else "the original files"
    files = {"train-images-idx3-ubyte.gz": "0" * 64}
    return write_files(
        results,
        framework,
        experiment,
        cell,
        pd.concat(parts, ignore_index=True),
        spec={**cell, "iterations": iterations},
        seeds=list(seeds),
        preset=preset,
        status="complete" if reached == iterations else "partial",
        iteration_reached=reached,
        iterations=iterations,
        diverged_seeds=list(seeds[:diverged]),
        differs_from_paper=list(differs),
        changed_choices=list(choices),
        data=[{"name": dataset, "source": source, "description": description, "files": files}],
        **({} if replica_settings is None else {"replica_settings": replica_settings}),
    )


def write_files(results, framework, experiment, cell, frame, **record):
    """Writes a run's two files, its curves and its record (`record` adds to the usual fields); returns its folder."""
    folder = results / experiment / "/".join(f"{name}~{value}" for name, value in cell.items()) / framework
    folder.mkdir(parents=True)
    frame[CURVE_COLUMNS].astype({"replica": "int32"}).to_parquet(folder / "curves.parquet", index=False)
    usual = {
        "schema_version": 1,
        "experiment": experiment,
        "cell": cell,
        "framework": framework,
        "code": {"git_commit": None, "git_dirty": None, "source_sha256": "1" * 64, "sources": ["impls/x.py"]},
        "versions": {"python": "3.11.7", "numpy": "2.4.6", framework: "2.13.0"},
        "device": {"kind": "cpu", "name": "AMD EPYC", "threads": 2},
        "precision": "fp32",
        "command": f"python -m impls train {experiment}",
        "started_at": "2099-01-01T00:00:00+00:00",  # later than any claim, so that no verdict is post hoc
        "finished_at": "2099-01-01T01:00:00+00:00",
        "wall_seconds": 1.0,
        "compile_seconds": 1.0,
        "evaluation_seconds": 1.0,
        "model_steps_per_second": 100.0,
        "peak_memory_bytes": 1,
        "sessions": 1,
    }
    (folder / "run.json").write_text(json.dumps({**usual, **record}))
    return folder


def write_quick(results, frameworks=("torch", "jax")):
    """All 16 cells as the quick preset makes them: stand-in data, 64 hidden units, 2000 iterations."""
    for framework in frameworks:
        for method in METHODS:
            for depth in (3, 4, 5, 6):
                write_run(
                    results,
                    framework,
                    depth,
                    method,
                    iterations=2000,
                    source="stand-in",
                    differs=["hidden_units = 64 (paper: 256)"],
                    preset="quick",
                )


def write_published(results):
    """Like published runs from a CPU: depth 4, original data, 25,000 of 500,000 iterations, one seed of dni."""
    for framework in ("torch", "jax"):
        for method in METHODS:
            seeds = (0,) if method == "dni" else (0, 1, 2)
            write_run(results, framework, 4, method, seeds=seeds, iterations=25_000, evaluate_every=1000)


def edit_record(folder, **changes):
    """Changes fields of a run's record, or removes those that are None."""
    record = json.loads((folder / "run.json").read_text())
    for name, value in changes.items():
        record.pop(name) if value is None else record.update({name: value})
    (folder / "run.json").write_text(json.dumps(record))


def edit_curves(folder, change):
    """Replaces the table of a run's curves by what the function `change` makes of it."""
    change(pd.read_parquet(folder / "curves.parquet")).to_parquet(folder / "curves.parquet")
