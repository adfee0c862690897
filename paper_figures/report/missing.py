"""The runs that claims still need, and the command for each run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pandas as pd

from paper_figures.claims.matching import OPEN, cell_of
from paper_figures.names import FRAMEWORKS
from paper_figures.report.claims import WAITING, command_id, folder_of
from paper_figures.runs import Run

PAPER_PRESET = "snakemake --configfile config/paper.yaml"


def missing_runs(judged: pd.DataFrame, runs: list[Run], results: Path) -> dict[str, list[dict[str, Any]]]:
    """By experiment, a row for each cell and framework whose claims need a run.

    A row has the `cell`, the `framework`, the number `n` of its claims, `why` (their reasons), the `id` that is the
    target of links on the page, and the `command`, with a description `how`.
    """
    by_path = {run.path: run for run in runs}
    open_claims = judged[judged["verdict"].isin(WAITING)]
    found: dict[str, list[dict[str, Any]]] = {}
    for (experiment, folder, framework), part in open_claims.groupby(
        ["experiment", open_claims.apply(folder_of, axis=1), "framework"], sort=False
    ):
        claims = part.to_dict("records")
        how, command = _command(claims, folder, framework, by_path, results)
        found.setdefault(experiment, []).append(
            {
                "id": command_id(claims[0]),
                "cell": folder.replace("~*", " any").replace("~", " ").replace("/", ", "),
                "framework": framework,
                "n": len(claims),
                "why": _reasons([claim["why"] for claim in claims]),
                "how": how,
                "command": command,
            }
        )
    return found


def _command(
    claims: list[dict[str, Any]], folder: str, framework: str, runs: dict[str, Run], results: Path
) -> tuple[str, str]:
    """A description and the command of the run that the claims of one cell need."""
    experiment = claims[0]["experiment"]
    run = runs.get(f"{experiment}/{folder}/{framework}/run.json")
    if run is not None and run.record.status != "complete":
        return "resumes from its checkpoint", _resumed(run.record.command)
    at_paper_size = f"{PAPER_PRESET} {' '.join(_targets(claims, folder, framework))}"
    if results.resolve().name == "paper" and run is not None:
        return "complete: raise `replicas` in config/paper.yaml, then", at_paper_size
    (other,) = set(FRAMEWORKS) - {framework}
    other_run = runs.get(f"{experiment}/{folder}/{other}/run.json")
    if run is None and other_run is not None:
        return f"with the settings of the {FRAMEWORKS[other]} run", _twin(other_run.record.command, other, framework)
    return "at the paper's size, into results/paper", at_paper_size


def _targets(claims: list[dict[str, Any]], folder: str, framework: str) -> list[str]:
    """The run records that the claims of one cell need, including references; or whole experiments."""
    experiment = claims[0]["experiment"]
    if OPEN in folder:
        return [experiment]
    folders = {folder: None}
    for claim in claims:
        others = dict(part.split("~") for part in claim.get("reference", "").split("/") if part)
        if "experiment" in others:
            return [experiment, others["experiment"]]
        if others:
            folders["/".join(f"{name}~{value}" for name, value in {**cell_of(claim), **others}.items())] = None
    return [shlex.quote(f"results/paper/{experiment}/{one}/{framework}/run.json") for one in folders]


def _resumed(command: str) -> str:
    """The command that resumes a run and trains to the end, without its time limit."""
    words = shlex.split(command)
    if "--max-minutes" in words:
        at = words.index("--max-minutes")
        del words[at : at + 2]
    return shlex.join(words if "--resume" in words else [*words, "--resume"])


def _twin(command: str, framework: str, other: str) -> str:
    """The command of a run, changed to the other framework."""
    words = [other if word == framework else word for word in shlex.split(command)]
    return shlex.join(f"{word[: -len(framework)]}{other}" if word.endswith(f"/{framework}") else word for word in words)


def _reasons(why: list[str]) -> str:
    reasons = dict.fromkeys(reason.partition("; `python -m impls list`")[0] for reason in why)
    shown, rest = list(reasons)[:2], len(reasons) - 2
    return "; ".join(shown) + (f"; and {rest} more reasons" if rest > 0 else "")
