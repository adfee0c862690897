"""Makes the files of a table: numbers from claims and runs, three lines per net (paper, PyTorch, JAX), notes, stamp.

Each table is a module `table_*` or `text_*` (numbers in the text of the paper) of `artifacts`, found by its file name.
It has `TITLE`, `OUTPUT` and a function `make`, which takes rows from the judged claims, adds printed names and calls
`table_files`.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from paper_figures.claims.judging import judge
from paper_figures.claims.measures import MEASURES
from paper_figures.claims.remarks import meanings_of, verdict_text
from paper_figures.drawing import captions, latex
from paper_figures.files import table_csv
from paper_figures.names import FRAMEWORKS, METRICS
from paper_figures.provenance.embedding import with_comment, with_record
from paper_figures.provenance.stamps import Request, one_line
from paper_figures.runs import Run

HOW_TO_READ = (
    "{}: mean ± half-width of its 95% t interval (number of replicas; a single one has no interval), and the verdict "
    "on the paper's number, if it has one."
)
SOME_FAILED = "In brackets (2 of 3): one of three replicas {} and is left out of the mean."
NARROW = 12  # characters per line below a number and its interval, in narrow columns of LaTeX
KEYS = ["id", "dataset", "model", "layers", "method", "cell"]


def rows_of_cells(judged: pd.DataFrame, runs: list[Run], cells: list[dict[str, Any]]) -> pd.DataFrame:
    """The rows of each of `cells`, in their order: its judged claim, or only our numbers if the paper has none.

    Args:
        judged, runs: those of one table, as `judged_claims` returns them.
        cells: columns of the claims that identify a cell, such as {"method": "dni", "cell": "cut_after~3"}. Other
            columns are taken from the first claim.
    """
    rows = []
    for cell in cells:
        claim = judged[(judged[list(cell)] == pd.Series(cell)).all(axis=1)]
        rows.append(judge(_without_number({**judged.iloc[0], **cell}), runs) if claim.empty else claim)
    return pd.concat(rows, ignore_index=True)


def _without_number(claim: dict[str, Any]) -> pd.DataFrame:
    """The claim's cell as a claim without a published number; its id is made from the cell."""
    layers = "" if pd.isna(claim["layers"]) else str(claim["layers"])
    place = [claim["artifact"], claim["dataset"], claim["model"], layers, claim["method"], claim["cell"]]
    absent = dict.fromkeys(("value", "margin", "reading_error"), math.nan)
    return pd.DataFrame([{**claim, **absent, "also_fits": "", "id": "/".join(filter(None, place))}])


def table_files(
    module_file: str,
    heading: str,
    results: Path,
    request: Request,
    runs: list[Run],
    judged: pd.DataFrame,
    lines: list[str],
    columns: list[str],
    notes: list[str],
    blocks: str = "",
) -> dict[str, bytes]:
    """The contents of a table's .csv (one row per number), .md, .tex and .json files, by suffix.

    Args:
        module_file: `__file__` of the table's module; the name of the module is the name of the artifact.
        heading: the heading of the .md file.
        runs: all runs. Notes and stamp are about the runs whose numbers are in the table.
        judged: the result of `judge` with more columns of text: those named in `lines`, and `column`. An optional
            column `printed` contains what the paper prints, if this is not a number.
        lines: the columns that identify a net; also their headings. A net has a line for the paper and for each
            framework.
        columns: the headings of the columns of numbers, in order. `column` of a row is one of them.
        notes: sentences about this table, between the legend and the machines.
        blocks: one of `lines`. In LaTeX, each of its values is the title of a part of the table, which has no empty
            columns.
    """
    artifact = Path(module_file).stem
    used = [run for run in runs if run.path in set(judged["run"])]
    stamp = request.stamp(artifact, results, used)
    # There is no single length if some trainings end by a stopping rule.
    paper_iterations = None if judged["iteration"].isna().any() else int(judged["iteration"].max())
    metrics = ", ".join(METRICS[metric] for metric in judged["metric"].unique())
    how_to_read = HOW_TO_READ.format(metrics[0].upper() + metrics[1:])
    notes = [
        captions.data_line(used),
        captions.settings_line(used, paper_iterations),
        how_to_read,
        captions.verdict_legend(set(judged["verdict"])),
        meanings_of(judged),
        *notes,
        captions.machines_line(used),
    ]
    notes = [note for note in notes if note]
    headings = [*lines, "From", *columns]
    label = "tab:dni-" + artifact.partition("_")[2].replace("_", "-")
    parts = judged.groupby(blocks, sort=False) if blocks else [("", judged)]
    printed = [
        _block(part, [name for name in lines if name != blocks], columns, str(title) if blocks else "")
        for title, part in parts
    ]
    failures = sorted({MEASURES[metric].failure for metric in judged.loc[judged["n_diverged"] > 0, "metric"]})
    read_here = " ".join([how_to_read, *map(SOME_FAILED.format, failures)])
    explained = [read_here if note == how_to_read else note for note in notes]
    page = markdown(heading, headings, _lines(judged, lines, columns, in_one_line), notes, one_line(stamp))
    printed_latex = latex.table(printed, explained, one_line(stamp), label)
    return table_contents(table_csv(_long_form(judged)), page, printed_latex, heading, stamp)


def table_contents(csv: bytes, page: str, printed: str, heading: str, stamp: dict) -> dict[str, bytes]:
    """The files of a table, by suffix, from its .csv, its Markdown and its LaTeX."""
    contents = {".csv": csv, ".md": with_comment(".md", page, stamp), ".tex": with_comment(".tex", printed, stamp)}
    return with_record(contents, heading, stamp)


def _block(judged: pd.DataFrame, lines: list[str], columns: list[str], title: str) -> latex.Block:
    """A part of the table in LaTeX. Cells have two lines if the table then fits, or else more and narrower lines."""
    used = [column for column in columns if column in set(judged["column"])]
    for write in (_in_two_lines, _in_narrow_lines):
        block = latex.Block([*lines, "From", *used], _lines(judged, lines, used, write), len(lines) + 1, title)
        if latex.fits(block):
            break
    return block


def _lines(judged: pd.DataFrame, lines: list[str], columns: list[str], write: Callable[..., str]) -> list[list[str]]:
    """The cells of each printed line; `write` formats our numbers (see `our_text`)."""
    printed = []
    for net, rows in judged.groupby(lines, sort=False):
        published = rows.drop_duplicates("column").set_index("column")
        printed.append([*net, "paper", *(_cell(published, column, paper_text) for column in columns)])
        for framework, name in FRAMEWORKS.items():
            ours = rows[rows["framework"] == framework].set_index("column")
            cells = [_cell(ours, column, lambda row: our_text(row, write)) for column in columns]
            printed.append([*("" for _ in lines), name, *cells])
    return printed


def _cell(rows: pd.DataFrame, column: str, write: Callable[[pd.Series], str]) -> str:
    return write(rows.loc[column]) if column in rows.index else ""


def paper_text(row: pd.Series) -> str:
    """The paper's number as printed there, or as read off a plot; empty if it has none."""
    if row.get("printed"):
        return row["printed"]
    if math.isnan(row["value"]):
        return ""
    if row["obtained"] == "digitised" or not row["reading_error"]:
        return f"{row['value']:g}"
    # As many digits as the paper prints: the reading error is half a unit of the last digit.
    digits = max(0, math.ceil(-math.log10(2 * row["reading_error"]) - 1e-9))
    return f"{row['value']:.{digits}f}"


def our_text(row: pd.Series, write: Callable[..., str]) -> str:
    """Our number with its interval, replicas and verdict; `write` arranges them in one line or several."""
    if row["n"] + row["n_diverged"] == 0:
        return row["verdict"]
    chosen = row["chosen"].partition(",")[0].partition("~")[2]
    at = f"at {chosen}" if chosen else ""
    return write(*number_and_interval(row), row, at)


def number_and_interval(row: pd.Series) -> tuple[str, str]:
    """Our mean, and its interval ("" for one replica)."""
    digits, low, high = MEASURES[row["metric"]].digits, row["low"], row["high"]
    number = "–" if math.isnan(row["ours"]) else f"{row['ours']:.{digits}f}"
    if math.isnan(low):
        return number, ""
    if MEASURES[row["metric"]].on_ladder:  # curriculum steps differ in length
        return number, f"[{low:.{digits}f}, {high:.{digits}f}]"
    return number, f"± {(high - low) / 2:.{digits}f}"


def in_one_line(number: str, interval: str, row: pd.Series, at: str) -> str:
    failed = f"; {row['n_diverged']} {MEASURES[row['metric']].failure}" if row["n_diverged"] else ""
    return " ".join(filter(None, [number, interval, f"({row['n']}{failed})", at, verdict_text(row)]))


def _in_two_lines(number: str, interval: str, row: pd.Series, at: str) -> str:
    above = " ".join(filter(None, [number, interval, _count(row), at]))
    return "\n".join(filter(None, [above, verdict_text(row)]))


def _in_narrow_lines(number: str, interval: str, row: pd.Series, at: str) -> str:
    above = " ".join(filter(None, [number, interval, at]))
    below = " ".join(filter(None, [_count(row), verdict_text(row)]))
    return "\n".join([above, *textwrap.wrap(below, NARROW, break_long_words=False)])


def _count(row: pd.Series) -> str:
    return f"({row['n']} of {row['n'] + row['n_diverged']})" if row["n_diverged"] else f"({row['n']})"


def markdown(heading: str, headings: list[str], lines: list[list[str]], notes: list[str], foot: str) -> str:
    """A page: the first of `notes`, about the data, in bold; the other notes; the table; and `foot`, the stamp."""
    conditions, *others = notes
    rest = "\n\n".join(others)
    return f"# {heading}\n\n**{conditions}**\n\n{rest}\n\n{markdown_lines(headings, lines)}\n\n{foot}\n"


def markdown_lines(headings: list[str], lines: list[list[str]]) -> str:
    """The table in Markdown. Columns of whole numbers are right-aligned."""
    sides = [
        "--:" if all(cell.isdigit() or not cell for cell in column) else "---" for column in zip(*lines, strict=True)
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in [headings, sides, *lines])


def _long_form(judged: pd.DataFrame) -> pd.DataFrame:
    """One row per number: the paper's, if it has one, and then each framework's."""
    keys = [*KEYS, "metric", "unit", "margin"]
    paper = judged.drop_duplicates("id").dropna(subset="value")[[*keys, "value", "iteration"]].assign(source="paper")
    besides = ["also_fits", "since", "run_started", "post_hoc", "uncommitted_code"]
    ours = judged[[*keys, "low", "high", "n", "n_diverged", "resolves", "verdict", "why", "chosen", "run", *besides]]
    ours = ours.assign(source=judged["framework"], value=judged["ours"], iteration=judged["ours_iteration"])
    both = pd.concat([paper, ours]).astype({"iteration": "Int64", "n": "Int64", "n_diverged": "Int64"})
    order = {claim: position for position, claim in enumerate(judged["id"].unique())}
    both = both.sort_values("id", key=lambda ids: ids.map(order), kind="stable")
    results = ["source", "metric", "value", "low", "high", "unit", "n", "n_diverged", "iteration", "margin"]
    return both[[*KEYS, *results, "resolves", "verdict", "why", "chosen", "run", *besides]]
