"""The labels of a table, a figure or the claims in Snakemake's own report: data set, method, framework, verdict."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from paper_figures.files import JUDGED_CLAIMS
from paper_figures.names import DATASETS, FRAMEWORKS, METHODS
from paper_figures.registry import OTHERS

NONE = "none"  # the file does not say so, or no run of ours is in it


def labels(results: Path, artifact: str) -> dict[str, str]:
    """The labels of a drawn artifact, in the words of the tables.

    Args:
        results: the folder of a preset, in which the artifact was drawn already.
        artifact: its name; "report" has the labels of the claims.
    """
    found = _of_figure(results, artifact) if artifact.startswith("fig_") else _of_table(results, artifact)
    return {
        "name": artifact,
        "data set": _words(DATASETS, found.get("dataset", [])),
        "method": _words(METHODS, found.get("method", [])),
        "framework": _words(FRAMEWORKS, found.get("framework", [])),
        "verdict": ", ".join(found.get("verdict", [])) or NONE,
    }


def _of_figure(results: Path, artifact: str) -> dict[str, list[str]]:
    """Fields of the cells of the runs in a figure, which its record names."""
    record = json.loads((results / "figures" / f"{artifact}.json").read_text(encoding="utf-8"))
    paths = [run["path"] for run in record["stamp"]["runs"]]
    return {**_fields(paths), "framework": [Path(path).parent.name for path in paths]}


def _of_table(results: Path, artifact: str) -> dict[str, list[str]]:
    """Columns of a table, of its rows with a number of ours; of all rows, how many have which verdict."""
    path = results / JUDGED_CLAIMS if artifact in OTHERS else results / "tables" / f"{artifact}.csv"
    table = pd.read_csv(path, keep_default_na=False).rename(columns={"source": "framework"})
    ours = table
    if "framework" in table:
        ours = table[table["framework"].isin(FRAMEWORKS) & ~table["n"].isin(["", "0", 0])]
    found = {name: list(ours[name]) for name in ("dataset", "method", "framework") if name in ours}
    if set(FRAMEWORKS) <= set(table):  # a row compares the two
        found = _fields(table["cell"]) | {"framework": list(FRAMEWORKS) if len(table) else []}
    if "verdict" in table:
        found["verdict"] = [f"{n} {word}" for word, n in table["verdict"].value_counts(sort=False).items() if word]
    return found


def _fields(paths: Iterable[str]) -> dict[str, list[str]]:
    """The data sets and methods of cells, by their paths."""
    parts = [part.split("~") for path in paths for part in path.split("/") if "~" in part]
    return {name: [value for other, value in parts if other == name] for name in ("dataset", "method")}


def _words(names: dict[str, str], found: list[str]) -> str:
    known = [word for name, word in names.items() if name in found]
    return ", ".join(dict.fromkeys([*known, *sorted(set(found) - set(names))])) or NONE
