"""Several workers, one net (our addition), in numbers: the time of a batch, and the seconds to a test error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from impls.workers.schedules import LINKED, SCHEDULES
from impls.workers.times import WorkerTimes
from paper_figures.artifacts.fig_unlocked import EXPERIMENT, NAMES, SHOWN, times_of
from paper_figures.claims.timed_workers import NOT_MEASURED, is_timed_by, seconds_to
from paper_figures.drawing import captions, latex
from paper_figures.drawing.curve_points import NUMBERS, numbers
from paper_figures.drawing.figure_files import ADDITION, NO_RUNS
from paper_figures.drawing.table_files import markdown, table_contents
from paper_figures.files import table_csv
from paper_figures.names import FRAMEWORKS, METHODS
from paper_figures.provenance.stamps import USUAL, Request, one_line
from paper_figures.runs import Run, shown_runs

TITLE = "Two workers, one net (our addition): time of a batch and seconds to a test error, by schedule and link"
OUTPUT = "tables/table_unlocked.csv"
HEADING = "Two workers, one net"

GOALS = {  # by metric: the split, percent of error, and what the heading says
    "seconds_to_3_percent": ("test", 3.0, "3%"),
    "seconds_to_2_percent": ("test", 2.0, "2%"),
    "seconds_to_1_percent_training_error": ("train", 1.0, "1% training error"),
}
PLACE = ["link_delay_ms", "schedule", "method", "link_delay", "source", "metric"]
HEADINGS = [
    *("Link, ms", "Workers", "Gradient", "ms per batch"),
    *(f"Seconds to {goal}, {name}" for _, _, goal in GOALS.values() for name in FRAMEWORKS.values()),
]


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .csv (long form), .md, .tex and .json files, by suffix."""
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    times = times_of(runs)
    rows = _rows(runs, times) if times else []
    notes = [
        captions.data_line(runs) if runs else NO_RUNS,
        ADDITION + captions.settings_line(runs, None),
        "ms per batch: mean ± half-width of the 95% t interval over the starts of the workers (number of starts), in "
        "PyTorch. Seconds: the iteration at which a replica's test error (or, where said, training error) is first so "
        "low, interpolated between evaluations, times the mean of ms per batch, without evaluations; mean ± half-width "
        "over the replicas (their number). The iterations are those of the same schedule in one process.",
        "One process has no link. The schedules that share backpropagation share its iterations, although batch norm "
        "in micro-batches and in shares of a batch is not quite the same.",
        "" if times else f"{NOT_MEASURED[0].upper()}{NOT_MEASURED[1:]}.",
        captions.machines_line(runs),
    ]
    notes = [note for note in notes if note]
    stamp = request.stamp(Path(__file__).stem, results, runs)
    table = pd.DataFrame(rows, columns=[*PLACE, *NUMBERS]).astype(
        dict.fromkeys(["link_delay", "iteration", "n", "n_diverged"], "Int64")
    )
    lines = _lines(table)
    page = markdown(HEADING, HEADINGS, lines, notes, one_line(stamp))
    printed = latex.table([latex.Block(HEADINGS, lines, 3)], notes, one_line(stamp), "tab:dni-unlocked")
    return table_contents(table_csv(table), page, printed, HEADING, stamp)


def _rows(runs: list[Run], times: WorkerTimes) -> list[dict]:
    """One row per number, by link and then by schedule: milliseconds, and seconds to each goal in each framework."""
    rows = []
    for link in sorted({one.link_delay_ms for one in times.times}):
        for schedule in SCHEDULES if link == 0 else LINKED:
            own = times.of(schedule, link)
            if own is None:
                continue
            place = {"link_delay_ms": link, "schedule": schedule, "method": own.method, "link_delay": own.link_delay}

            def row(source: str, metric: str, iteration: int, values: list[float], place: dict = place) -> dict:
                named = {"source": source, "metric": metric}
                return place | named | dict(zip(NUMBERS, (iteration, *numbers(values)), strict=True))

            batch = [1000 * seconds for seconds in own.seconds_per_batch]
            rows.append(row("torch", "ms_per_batch", times.batches, batch))
            for run in (run for run in runs if is_timed_by(run, own)):
                for metric, (split, goal, _) in GOALS.items():
                    seconds = list(seconds_to(goal, run, own, split))
                    rows.append(row(run.record.framework, metric, run.record.iteration_reached, seconds))
    return rows


def _lines(table: pd.DataFrame) -> list[list[str]]:
    """The printed cells, a line for each schedule on each link."""
    lines = []
    for (link, schedule), part in table.groupby(["link_delay_ms", "schedule"], sort=False):
        found = {(row["metric"], row["source"]): _text(row) for row in part.to_dict("records")}
        seconds = [(metric, framework) for metric in GOALS for framework in FRAMEWORKS]
        cells = [found.get(key, "–") for key in (("ms_per_batch", "torch"), *seconds)]
        lines.append([f"{link:g}", NAMES[schedule], METHODS.get(part["method"].iloc[0], "true, late"), *cells])
    return lines


def _text(row: dict) -> str:
    """A mean with its interval and count: "12.3 ± 0.4 (3)"; of replicas that never came so low, how many."""
    if row["n"] == 0:
        return "not reached"
    digits = 2 if row["metric"] == "ms_per_batch" else 1
    half = (row["high"] - row["low"]) / 2
    spread = "" if np.isnan(half) else f" ± {half:.{digits}f}"
    never = f"; {row['n_diverged']} not" if row["n_diverged"] else ""
    return f"{row['value']:.{digits}f}{spread} ({row['n']}{never})"
