"""The paper's table of feed-forward test errors ("Every layer DNI"), beside both frameworks' with verdicts.

Three lines per net (paper, PyTorch, JAX) and one column per method, as in the paper; `.csv` has one row per number.
"""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from paper_figures import captions, tex
from paper_figures.claims import EXPERIMENTS, FRAMEWORKS, judge, read_claims
from paper_figures.files import table_csv
from paper_figures.provenance import short, stamp
from paper_figures.runs import read_runs

TITLE = "feed-forward nets with a DNI between every two layers: test error (table of the paper)"
OUTPUT = "tables/table_feedforward.csv"

ARTIFACT = Path(__file__).stem
NET = ["dataset", "model", "layers"]
HEADINGS = ["Data", "Model", "Layers", "From", *captions.METHODS.values()]
HOW_TO_READ = (
    "Test error in percent: mean ± half-width of its 95% t interval (replicas), and the verdict on the paper's number."
)


def make(results: Path) -> dict[str, bytes]:
    """The contents of the .csv, .md and .tex files, by suffix."""
    claims = read_claims()
    claims = claims[claims["artifact"] == ARTIFACT]
    runs = read_runs(results, EXPERIMENTS[ARTIFACT])
    judged = judge(claims, runs)
    foot = short(stamp(ARTIFACT, results, runs))
    notes = [
        captions.data_line(runs),
        captions.settings_line(runs, int(claims["iteration"].max())),
        HOW_TO_READ,
        captions.verdict_legend(set(judged["verdict"])),
        captions.DEPTH_CHOSEN_ON_TEST,
        captions.machines_line(runs),
    ]
    notes = [note for note in notes if note]
    return {
        ".csv": table_csv(_long_form(judged)),
        ".md": _markdown(_lines(judged, " "), notes, foot).encode(),
        ".tex": tex.table(HEADINGS, _lines(judged, "\n"), notes, foot, label="tab:dni-feedforward").encode(),
    }


def _lines(judged: pd.DataFrame, separator: str) -> list[list[str]]:
    """The cells of each printed line; `separator` stands between a number and its verdict."""
    lines = []
    for (data, model, layers), rows in judged.groupby(NET, sort=False):
        net = [captions.DATASETS[data], captions.MODELS[model], str(layers)]
        published = rows.drop_duplicates("method").set_index("method")["value"]
        lines.append([*net, "paper", *(_published(published.get(method)) for method in captions.METHODS)])
        for framework, name in FRAMEWORKS.items():
            ours = rows[rows["framework"] == framework].set_index("method")
            cells = [_ours(ours.loc[method], separator) if method in ours.index else "" for method in captions.METHODS]
            lines.append(["", "", "", name, *cells])
    return lines


def _published(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _ours(row: pd.Series, separator: str) -> str:
    if row["n"] + row["n_diverged"] == 0:
        return str(row["verdict"])
    replicas = f"({row['n']}{'; ' + str(row['n_diverged']) + ' diverged' if row['n_diverged'] else ''})"
    number = f"{row['ours']:.2f}" if row["n"] else "–"
    half = (row["high"] - row["low"]) / 2
    interval = "" if math.isnan(half) else f" ± {half:.2f}"
    return f"{number}{interval} {replicas}{separator}{row['verdict']}"


def _markdown(lines: list[list[str]], notes: list[str], foot: str) -> str:
    conditions, *others = notes
    table = [HEADINGS, ["---", "---", "--:", "---", *["---"] * len(captions.METHODS)], *lines]
    rows = "\n".join("| " + " | ".join(row) + " |" for row in table)
    rest = "\n\n".join(others)
    return f"# Feed-forward nets, a DNI between every two layers\n\n**{conditions}**\n\n{rest}\n\n{rows}\n\n{foot}\n"


def _long_form(judged: pd.DataFrame) -> pd.DataFrame:
    """One row per number: the paper's first, then each framework's."""
    keys = ["id", *NET, "method", "metric", "unit", "margin"]
    paper = judged.drop_duplicates("id")[[*keys, "value", "iteration"]].assign(source="paper")
    ours = judged[[*keys, "low", "high", "n", "n_diverged", "verdict", "why", "run"]]
    ours = ours.assign(source=judged["framework"], value=judged["ours"], iteration=judged["ours_iteration"])
    both = pd.concat([paper, ours]).astype({"iteration": "Int64", "n": "Int64", "n_diverged": "Int64"})
    order = {claim: position for position, claim in enumerate(judged["id"].unique())}
    both = both.sort_values("id", key=lambda ids: ids.map(order), kind="stable")
    results = ["source", "metric", "value", "low", "high", "unit", "n", "n_diverged", "iteration", "margin"]
    return both[["id", *NET, "method", *results, "verdict", "why", "run"]]
