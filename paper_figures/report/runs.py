"""The report's runs: all of them, those that diverged or did not finish, and what was changed in them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from paper_figures.runs import Run


def cell_text(run: Run) -> str:
    """The fields of a run's cell, in the order of its path."""
    return ", ".join(f"{name} {value}" for name, value in run.cell.items())


def run_rows(runs: list[Run]) -> list[dict[str, Any]]:
    """One row of the table of runs for each."""
    return [
        {
            "path": run.path,
            "experiment": run.record.experiment,
            "cell": cell_text(run),
            "framework": run.record.framework,
            "status": run.record.status,
            "diverged": len(run.diverged_at()),
            "replicas": len(run.record.seeds),
            "reached": run.record.iteration_reached,
            "iterations": run.record.iterations,
            "seconds": run.record.wall_seconds,
            "speed": run.record.model_steps_per_second,
            "device": run.device,
        }
        for run in runs
    ]


def runs_in_trouble(runs: list[Run]) -> list[dict[str, str]]:
    """The runs with a replica that diverged, and those that stopped early: which, what happened, what to do."""
    found = []
    for run in runs:
        what = []
        diverged = run.diverged_at()
        if diverged:
            first = min(diverged.values())
            seeds = ", ".join(map(str, sorted(diverged)))
            what.append(
                f"{len(diverged)} of {len(run.record.seeds)} replicas diverged "
                f"(seeds {seeds}; seen first at iteration {first:,})"
            )
        if run.record.status != "complete":
            what.append(f"stopped at iteration {run.record.iteration_reached:,} of {run.record.iterations:,}")
        if what:
            found.append({"path": run.path, "what": "; ".join(what)})
    return found


def trainings_without_record(results: Path, runs: list[Run]) -> list[dict[str, str]]:
    """Trainings that left a checkpoint or a log, and no record: interrupted, failed, or still running."""
    finished = {Path(run.path).parent for run in runs}
    checkpoints = {path.parent.relative_to(results) for path in results.rglob("checkpoint.npz")}
    logs = {path.relative_to(results / "logs").with_suffix("") for path in (results / "logs").rglob("*.log")}
    logged = {folder for folder in logs if folder.name in ("torch", "jax")}
    found = []
    for folder in sorted((checkpoints | logged) - finished):
        left = "left a checkpoint, from which the same command goes on" if folder in checkpoints else "left no record"
        log = f"; see logs/{folder.as_posix()}.log" if folder in logged else ""
        found.append({"path": f"{folder.as_posix()}/run.json", "what": f"did not finish, {left}{log}"})
    return found


def changed_settings(runs: list[Run]) -> dict[str, list[dict[str, Any]]]:
    """Settings in which runs differ from the paper, and from this suite's choices, with the number of runs of each."""
    return {
        "differs_from_paper": _changes(runs, "differs_from_paper"),
        "changed_choices": _changes(runs, "changed_choices"),
    }


def _changes(runs: list[Run], field: str) -> list[dict[str, Any]]:
    places: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        for change in getattr(run.record, field):
            places[change].append(run.record.experiment)
    return [
        {"change": change, "n": len(experiments), "experiments": ", ".join(sorted(set(experiments)))}
        for change, experiments in sorted(places.items())
    ]
