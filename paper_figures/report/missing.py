"""The runs that claims still need, and the command that makes each."""

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

    A row has the claims' `heading`, `cell`, `framework`, `n` of them, `why` (the reasons that they give), the `id` that
    links of the page lead to, and the `command`, with `how` in words.
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
    """What makes the run that the claims of one cell need, in words, and the command."""
    experiment = claims[0]["experiment"]
    own = runs.get(f"{experiment}/{folder}/{framework}/run.json")
    if own is not None and own.record.status != "complete":
        return "goes on from its checkpoint", _resumed(own.record.command)
    at_paper_size = f"{PAPER_PRESET} {' '.join(_targets(claims, folder, framework))}"
    if results.resolve().name == "paper" and own is not None:
        return "complete: raise `replicas` in config/paper.yaml, then", at_paper_size
    (other,) = set(FRAMEWORKS) - {framework}
    twin = runs.get(f"{experiment}/{folder}/{other}/run.json")
    if own is None and twin is not None:
        return f"as the {FRAMEWORKS[other]} run beside it", _twin(twin.record.command, other, framework)
    return "at the paper's size, into results/paper", at_paper_size


def _targets(claims: list[dict[str, Any]], folder: str, framework: str) -> list[str]:
    """The run records that the claims of one cell need, its reference's among them; or the whole experiment."""
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
    """The command of a run, without its time limit, so that it resumes and trains to the end."""
    words = shlex.split(command)
    if "--max-minutes" in words:
        at = words.index("--max-minutes")
        del words[at : at + 2]
    return shlex.join(words if "--resume" in words else [*words, "--resume"])


def _twin(command: str, framework: str, other: str) -> str:
    """The command of a run, for the other framework."""
    words = [other if word == framework else word for word in shlex.split(command)]
    return shlex.join(f"{word[: -len(framework)]}{other}" if word.endswith(f"/{framework}") else word for word in words)


def _reasons(why: list[str]) -> str:
    reasons = dict.fromkeys(reason.partition("; `python -m impls list`")[0] for reason in why)
    shown, rest = list(reasons)[:2], len(reasons) - 2
    return "; ".join(shown) + (f"; and {rest} more reasons" if rest > 0 else "")
