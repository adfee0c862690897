"""PyTorch against JAX (our addition): whether they agree in each cell that both have run, and their speeds.

A table of counts of verdicts, then a table for each experiment. `claims.framework_agreement` defines the comparison.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pandas as pd

from paper_figures.claims.framework_agreement import OUTCOMES, VERDICTS, compare, verdicts
from paper_figures.claims.matching import read_claims
from paper_figures.drawing import captions, latex
from paper_figures.drawing.table_files import markdown, markdown_lines, table_contents
from paper_figures.files import table_csv
from paper_figures.names import FRAMEWORKS, METRICS
from paper_figures.provenance.stamps import USUAL, Request, one_line
from paper_figures.runs import Run, all_runs

TITLE = "PyTorch against JAX (our addition): whether they agree in each cell, and their speeds"
OUTPUT = "tables/table_frameworks.csv"

HEADING = "PyTorch against JAX"
DIGITS = {outcome.metric: outcome.measure.digits for outcome in OUTCOMES}
COLUMNS = [
    *("experiment", "cell", "metric", "unit", "torch", "jax", "difference", "low", "high"),
    *("n", "n_diverged_torch", "n_diverged_jax", "iteration", "margin", "margin_from"),
    *("p_equivalence", "p_equivalence_holm", "p_beyond_holm", "verdict", "why"),
    *("torch_steps_per_second", "jax_steps_per_second", "speed_ratio", "speed_obstacles", "torch_run", "jax_run"),
]
HEADINGS = [
    *("Cell", *FRAMEWORKS.values(), "Difference", "Seeds", "Margin", "p", "Verdict"),
    *(*(f"{name}, steps/s" for name in FRAMEWORKS.values()), "Ratio"),
]
COUNTED = ["Experiment", "Cells", *VERDICTS, "Median ratio"]
PLAIN = ("dataset", "model", "method")  # fields of a cell whose values are clear without the name


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .csv (a row per cell), .md, .tex and .json files, by suffix."""
    runs = all_runs(results)
    pairs, alone, apart = _pairs(runs)
    claims = read_claims()
    table = verdicts(compare(*pair, claims) for pair in pairs) if pairs else pd.DataFrame(columns=COLUMNS)
    used = list(itertools.chain.from_iterable(pairs))
    stamp = request.stamp(Path(__file__).stem, results, used)
    notes = [note for note in _notes(used, table, alone, apart) if note]
    sections = {name: [_line(row) for row in rows.to_dict("records")] for name, rows in table.groupby("experiment")}
    page, printed = (write(table, sections, notes, one_line(stamp)) for write in (_markdown, _latex))
    return table_contents(table_csv(table[COLUMNS]), page, printed, HEADING, stamp)


def _pairs(runs: list[Run]) -> tuple[list[tuple[Run, Run]], int, int]:
    """(PyTorch, JAX) of every cell that both have run on a common seed, and two numbers of other cells.

    These are the cells that only one framework has run, and the cells that both have run without a common seed.
    """
    by_cell: dict[tuple, dict[str, Run]] = {}
    for run in runs:
        place = (run.record.experiment, *run.cell.items())
        by_cell.setdefault(place, {})[run.record.framework] = run
    both = [(found["torch"], found["jax"]) for found in by_cell.values() if len(found) == len(FRAMEWORKS)]
    pairs = [(torch, jax) for torch, jax in both if set(torch.record.seeds) & set(jax.record.seeds)]
    return pairs, len(by_cell) - len(both), len(both) - len(pairs)


def _notes(used: list[Run], table: pd.DataFrame, alone: int, apart: int) -> list[str]:
    presets = ", ".join(sorted({run.record.preset or "none" for run in used}))
    left_out = [f"{alone} cells that only one framework has run"] if alone else []
    left_out += [f"{apart} cells whose two runs share no seed"] if apart else []
    words = set(table["verdict"])
    results = ", ".join(METRICS[outcome.metric] for outcome in OUTCOMES)
    legend = [f"{word}: {meaning}" for word, meaning in VERDICTS.items() if word in words]
    return [
        captions.data_line(used) if used else "No cell has runs of both frameworks on a common seed.",
        "Not in the paper: an addition of this suite. " + (f"Preset {presets}. " if used else "") + "It compares two "
        "implementations with each other, not with the paper. Each pair of runs has its own sizes and lengths.",
        f"Results: {results}; mean over the seeds that both have run. Difference: mean of PyTorch minus JAX by seed, "
        "± half-width of its 95% t interval; for task lengths, in curriculum steps.",
        f"Margin: the margin of the paper's number for the cell, if it has one; * a default: {_defaults(table)}.",
        "p: the larger p value of two one-sided t tests that the difference is within the margin, after Holm's "
        "correction over all comparable cells of this page. Verdicts use the 5% level after this correction.",
        f"{'; '.join(legend)}." if legend else "",
        "Steps/s: model-steps (replicas x iterations) per second as recorded by each run, without compilation and "
        "evaluation; the machine may have been shared with other work. Ratio: PyTorch over JAX if device, threads, "
        "replicas, spec, data and precision are the same, or else n.c. (not comparable). The .csv lists what differs.",
        f"Left out: {', and '.join(left_out)}." if left_out else "",
        captions.machines_line(used),
    ]


def _defaults(table: pd.DataFrame) -> str:
    """The default margins that the table uses, with their reasons."""
    metrics = set(table["metric"][table["margin_from"] == "default"])
    margins = [f"{METRICS[one.metric]}, {one.rule}" for one in OUTCOMES if one.metric in metrics]
    return "; ".join(margins) or "none in this table"


def _line(row: dict) -> list[str]:
    """The printed cells of a row."""
    digits = DIGITS.get(row["metric"], 0)

    def number(value: float) -> str:
        return "–" if math.isnan(value) else f"{value:z.{digits}f}"

    half, p = (row["high"] - row["low"]) / 2, row["p_equivalence_holm"]
    verdict, n_diverged = row["verdict"], row["n_diverged_torch"] + row["n_diverged_jax"]
    return [
        cell_name(row["cell"]),
        number(row["torch"]),
        number(row["jax"]),
        number(row["difference"]) + ("" if math.isnan(half) else f" ± {half:.{digits}f}"),
        f"{row['n']}" + (f" ({n_diverged} diverged)" if n_diverged else ""),
        "–" if math.isnan(row["margin"]) else f"{row['margin']:.3g}" + "*" * (row["margin_from"] == "default"),
        "" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}",
        f"{verdict}: {row['why']}" if verdict == "not comparable" else verdict,
        *(_speed(row[f"{framework}_steps_per_second"]) for framework in FRAMEWORKS),
        "n.c." if math.isnan(row["speed_ratio"]) else f"{row['speed_ratio']:.2f}",
    ]


def cell_name(path: str) -> str:
    """A cell in words, from its path: "mnist fcn depth 6 dni cut after 1"."""
    fields = (part.split("~") for part in path.split("/"))
    return " ".join(value if name in PLAIN else f"{name.replace('_', ' ')} {value}" for name, value in fields)


def _speed(steps: float) -> str:
    return "–" if math.isnan(steps) else f"{steps:,.0f}" if steps >= 10 else f"{steps:.2g}"


def _counts(table: pd.DataFrame) -> list[list[str]]:
    """A line for each experiment: the numbers of cells and of each verdict, and the median ratio of speeds."""
    lines = []
    for name, rows in table.groupby("experiment"):
        ratio = rows["speed_ratio"].median()
        counts = [str((rows["verdict"] == word).sum()) for word in VERDICTS]
        lines.append([name, str(len(rows)), *counts, "n.c." if math.isnan(ratio) else f"{ratio:.2f}"])
    return lines


def _markdown(table: pd.DataFrame, sections: dict[str, list[list[str]]], notes: list[str], foot: str) -> str:
    parts = [f"## {name}\n\n{markdown_lines(HEADINGS, lines)}" for name, lines in sections.items()]
    return markdown(HEADING, COUNTED, _counts(table), notes, "\n\n".join([*parts, foot]))


def _latex(table: pd.DataFrame, sections: dict[str, list[list[str]]], notes: list[str], foot: str) -> str:
    """A table of counts with all notes, and a table for each experiment, whose caption refers to it."""
    label = "tab:dni-frameworks"
    counts = latex.Block(COUNTED, _counts(table), 1)
    parts = [latex.table([counts], [f"{HEADING}. {notes[0]}", *notes[1:]], foot, label)]
    for name, lines in sections.items():
        caption = [f"{HEADING}: {name.replace('_', ' ')}. For notes, see the table of counts."]
        parts.append(latex.table([latex.Block(HEADINGS, lines, 1)], caption, foot, f"{label}-{name.replace('_', '-')}"))
    return "\n".join(parts)
