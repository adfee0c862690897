"""Copy in minutes (our addition), in numbers: the effect of each changed choice, and how well M predicted."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from paper_figures.artifacts.fig_small_copy import CELL, CHANGES, EXPERIMENT, SOLVED
from paper_figures.claims.measures import data_per_iteration
from paper_figures.drawing import captions, latex
from paper_figures.drawing.curve_points import NUMBERS, numbers
from paper_figures.drawing.figure_files import ADDITION, NO_RUNS
from paper_figures.drawing.table_files import markdown, table_contents
from paper_figures.files import table_csv
from paper_figures.names import FRAMEWORKS, RECURRENT_METHODS
from paper_figures.provenance.stamps import USUAL, Request, one_line
from paper_figures.runs import Run, read_runs, select_runs

TITLE = "Copy in minutes (our addition): task lengths solved and the quality of M, one choice changed at a time"
OUTPUT = "tables/table_small_copy.csv"
HEADING = "Copy in minutes, one choice changed at a time"

MILESTONE = 7  # a task length that nets with T = 3 solve; they differ in the data that they need
LONGEST, DATA = "longest_task_solved", "data_until_solved"
# Metrics of the batch, and the share of training after which their averages start.
AVERAGED = {
    "bits_per_character": 5 / 6,
    "explained_variance.read": 1 / 2,
    "cosine_similarity.read": 1 / 2,
    "explained_variance.write": 1 / 2,
    "cosine_similarity.write": 1 / 2,
}
HEADINGS = {
    LONGEST: "Longest task solved",
    DATA: f"Data until {MILESTONE} is solved, millions",
    "bits_per_character": "Bits of error, at the end",
    "explained_variance.read": "M, reading: explained",
    "cosine_similarity.read": "M, reading: cosine",
    "explained_variance.write": "M, writing: explained",
    "cosine_similarity.write": "M, writing: cosine",
}
COLUMNS = [*CELL, "source", "metric", "seed", *NUMBERS]


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .csv (long form), .md, .tex and .json files, by suffix."""
    runs = select_runs(read_runs(results, EXPERIMENT), dataset="copy", model="lstm")
    runs = sorted(runs, key=_sort_key)
    rows = [_rows(run) for run in runs]
    notes = [
        captions.data_line(runs) if runs else NO_RUNS,
        ADDITION + captions.settings_line(runs, None),
        "Longest task solved: by replica, in time steps; the curriculum begins at 4. Data: time steps x batch size, "
        "mean of the replicas that solved the task, with their number unless all did. Other columns: mean of the "
        "replicas and of the evaluations in the last sixth of training (bits of error, for the current task), or in "
        "its second half (M).",
        "M: at chunk boundaries, by phase of the sequence. Explained variance: 1 is a perfect prediction, and 0 is the "
        "value of a zero gradient, as in BPTT. Below 0, M is further from its target than zero.",
        captions.machines_line(runs),
    ]
    notes = [note for note in notes if note]
    stamp = request.stamp(Path(__file__).stem, results, runs)
    headings = ["T", "Method", "Changed", "From", *HEADINGS.values()]
    lines = [_line(run, found) for run, found in zip(runs, rows, strict=True)]
    table = pd.DataFrame([row for found in rows for row in found], columns=COLUMNS)
    whole = dict.fromkeys(["seed", "iteration", "n", "n_diverged"], "Int64")
    page = markdown(HEADING, headings, lines, notes, one_line(stamp))
    printed = latex.table([latex.Block(headings, lines, 4)], notes, one_line(stamp), "tab:dni-small-copy")
    return table_contents(table_csv(table.astype(whole)), page, printed, HEADING, stamp)


def _sort_key(run: Run) -> tuple:
    """Sort key: cells without a change first, then the changes as in the figure; by T, method, PyTorch before JAX."""
    cell, order = run.cell, list(CHANGES)
    change = order.index(cell["change"]) if cell["change"] in order else len(order)
    return change, cell["change"], cell["truncation_length"], cell["method"], run.record.framework != "torch"


def _rows(run: Run) -> list[dict]:
    """One row per number: of one replica if it has a `seed`, else the mean of the replicas with its interval."""
    reached, diverged_at = run.record.iteration_reached, run.diverged_at()
    named = {name: run.cell[name] for name in CELL} | {"source": run.record.framework}
    solved = run.curves[(run.curves["split"] == SOLVED.split) & (run.curves["metric"] == SOLVED.metric)]
    rows = []
    for seed, curve in solved.groupby("seed"):
        curve = curve[curve["iteration"] <= diverged_at.get(seed, reached)]
        first = curve.loc[curve["value"] >= MILESTONE, "iteration"].min() * data_per_iteration(run) / 1e6
        found = {LONGEST: curve["value"].max(), DATA: first}
        rows += [named | {"metric": name, "seed": seed, "iteration": reached, "value": found[name]} for name in found]
    for metric, share in AVERAGED.items():
        late = run.curve("batch", metric).loc[math.ceil(share * reached) :]
        if len(late):
            # A value of 0 means that no sequence of the batch is in this phase.
            means = late.mask(late == 0).mean().fillna(0).mask(late.isna().any())
            rows.append(named | {"metric": metric} | dict(zip(NUMBERS, (reached, *numbers(means)), strict=True)))
    return rows


def _line(run: Run, rows: list[dict]) -> list[str]:
    """The printed cells of a run."""
    found = pd.DataFrame(rows, columns=COLUMNS)
    values = {metric: part["value"] for metric, part in found.groupby("metric")}
    cell, count = run.cell, len(run.record.seeds)
    name = CHANGES.get(cell["change"], cell["change"])
    means = {metric: float(values[metric].iloc[0]) for metric in AVERAGED if metric in values}
    written = {metric: "–" if math.isnan(mean) else f"{mean:.2f}" for metric, mean in means.items()}
    if LONGEST in values:
        written[LONGEST] = ", ".join(f"{value:.0f}" for value in sorted(values[LONGEST], reverse=True))
        data = values[DATA].dropna()
        some = "" if len(data) == count else f" ({len(data)} of {count})"
        written[DATA] = f"{data.mean():.1f}{some}" if len(data) else "none did"
    if diverged_at := run.diverged_at():
        written[LONGEST] = f"{written.get(LONGEST, '')} ({len(diverged_at)} diverged)".strip()
    numbers = [written.get(metric, "") for metric in HEADINGS]
    named = [str(cell["truncation_length"]), RECURRENT_METHODS[cell["method"]], name or "nothing"]
    return [*named, FRAMEWORKS[run.record.framework], *numbers]
