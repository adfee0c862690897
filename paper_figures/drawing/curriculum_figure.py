"""The two curriculum figures: the longest task solved by each replica, against the data consumed.

There is one row of panels per truncation length T and one colour per method. Each replica is a line with a dot at every
promotion. The y axis shows curriculum steps, labelled with their task lengths. Diamonds show the paper's table.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures.claims.curriculum import LADDERS, to_steps
from paper_figures.claims.matching import cell_of, read_claims
from paper_figures.claims.measures import MEASURES, data_per_iteration
from paper_figures.drawing import layout, notes, panels, style
from paper_figures.drawing.curve_points import ours
from paper_figures.drawing.figure_files import figure_files
from paper_figures.names import DATASETS, FRAMEWORKS, RECURRENT_METHODS
from paper_figures.provenance.stamps import Request
from paper_figures.registry import Shown
from paper_figures.runs import Run, shown_runs

METRIC = "max_solved_task_length"
TASKS = ("copy", "repeat_copy")
SHOWN: Shown = {"dataset": TASKS, "model": ["lstm"]}
METHODS = panels.Family(
    "method", dict(zip(RECURRENT_METHODS, style.THREE_SHADES, strict=True)), names=RECURRENT_METHODS
)
DIAMONDS = "Diamonds: the paper's table; their position along the data axis has no meaning."
NO_DIAMONDS = "The paper's lengths are not shown: these runs have characters of fewer bits."
SHIFT = dict(zip(METHODS.colours, (-0.16, 0.0, 0.16), strict=True))  # in steps; separates lines at the same step
CELL = ["dataset", "method", "truncation_length"]
COLUMNS = [*CELL, "source", "obtained", "seed", "event", "iteration", "data", "value"]


def make(
    module_file: str,
    title: str,
    experiment: str,
    results: Path,
    request: Request,
    about: str = "",
    *,
    addition: bool = False,
) -> dict[str, bytes]:
    """The contents of a figure's .pdf, .svg, .png, .csv and .json files, by suffix; its caption begins with `about`."""
    claims = read_claims()
    claims = claims[(claims["metric"] == METRIC) & claims["dataset"].isin(TASKS)]
    runs = shown_runs(results, experiment, SHOWN)
    rows = [row for run in runs for row in replica_rows(run)]
    papers = paper_rows(claims) if have_the_papers_task(runs) else []
    points = pd.DataFrame([*rows, *papers], columns=COLUMNS)
    points = points.astype({"seed": "Int64", "iteration": "Int64"})
    counts = sorted({len(run.record.seeds) for run in runs})
    sentences = [
        about,
        f"Ours: one line per replica ({' or '.join(map(str, counts)) or 'none'}). A dot marks each promotion to the "
        "next task of the curriculum, at the length of the task just solved. The y axis counts the tasks of the "
        "curriculum, so its steps have the same height though the lengths grow unevenly. Methods are shifted slightly "
        "so that lines at the same height are all visible.",
        "Data: iterations x truncation length T x batch size.",
        DIAMONDS if papers else NO_DIAMONDS if runs else "",
        *notes_on_replicas(points, titles_of(points)),
    ]
    return figure_files(
        module_file, title, results, request, runs, points, sentences, _draw, addition=addition, length_stated=False
    )


def replica_rows(run: Run) -> list[list]:
    """Rows of `COLUMNS` for every replica: its start, its promotions, and its end or divergence."""
    cell, measure, diverged_at = run.cell, MEASURES[METRIC], run.diverged_at()
    cell_columns = [*(cell[name] for name in CELL), run.record.framework, "run"]
    curves = run.curves[(run.curves["split"] == measure.split) & (run.curves["metric"] == measure.metric)]
    rows = []
    for seed, curve in curves.dropna(subset="value").sort_values("iteration").groupby("seed"):
        points = [("promotion" if at else "start", at, value) for at, value in curve[["iteration", "value"]].to_numpy()]
        end = ("diverged", diverged_at[seed]) if seed in diverged_at else ("end", run.record.iteration_reached)
        points = [point for point in points if point[1] <= end[1]]
        for event, at, value in [*points, (*end, points[-1][2])]:
            rows.append([*cell_columns, seed, event, at, at * data_per_iteration(run), value])
    return rows


def paper_rows(claims: pd.DataFrame) -> list[list]:
    """A row of `COLUMNS` for each of the paper's task lengths."""
    return [
        [
            *(row["dataset"], row["method"], int(cell_of(row)["truncation_length"]), "paper", row["obtained"]),
            *(None, "end", None, math.nan, row["value"]),
        ]
        for row in claims.to_dict("records")
    ]


def have_the_papers_task(runs: list[Run]) -> bool:
    """Whether a run has characters of as many bits as the paper's, so that its lengths can be compared."""
    changes = [" ".join(run.record.differs_from_paper + run.record.changed_choices) for run in runs]
    return any("character_bits" not in text for text in changes)


def titles_of(points: pd.DataFrame) -> dict[tuple[str, int], str]:
    """By task and truncation length that have a run, the name of the panel."""
    ran = ours(points)
    found = set(zip(ran["dataset"], ran["truncation_length"], strict=True))
    lengths = sorted({length for _, length in found})
    return {
        (dataset, length): f"{DATASETS[dataset]}, T = {length}"
        for length in lengths
        for dataset in TASKS
        if (dataset, length) in found
    }


def notes_on_replicas(points: pd.DataFrame, titles: dict[tuple[str, int], str]) -> list[str]:
    """Sentences about methods without a run, and about replicas that diverged."""
    found = notes.Notes(METHODS, notes.frameworks_of(ours(points)))
    for (dataset, length), title in titles.items():
        for framework, method in itertools.product(found.ran, METHODS.colours):
            place = {"dataset": dataset, "truncation_length": length, "method": method, "source": framework}
            mine = points[(points[list(place)] == list(place.values())).all(axis=1)]
            diverged = int((mine["event"] == "diverged").sum())
            if mine.empty:
                found.add(notes.NO_RUN, "", title, framework, method)
            elif diverged:
                remark = notes.count_in_brackets(diverged, mine["seed"].nunique())
                found.add(notes.DIVERGED, remark, title, framework, method)
    return found.sentences((notes.NO_RUN, notes.DIVERGED))


def legend_of(points: pd.DataFrame) -> list[Line2D]:
    """The frameworks, the paper's diamond and the methods that are drawn."""
    diamond = Line2D([], [], label="paper's table", color=style.INK, **style.PAPER_MARK)
    papers = [diamond] if (points["source"] == "paper").any() else []
    return [*layout.frameworks_legend(points, style.REPLICA_LINES), *papers, *METHODS.drawn(points).legend()]


def _draw(points: pd.DataFrame, page: style.Page) -> Figure:
    titles = titles_of(points)
    tasks = [dataset for dataset in TASKS if any(dataset == task for task, _ in titles)]
    lengths = list(dict.fromkeys(length for _, length in titles))
    points = points[points["truncation_length"].isin(lengths) & points["dataset"].isin(tasks)]
    height = 1.55 if len(lengths) > 2 else 2.2
    figure, grid = layout.grid(
        page, len(lengths), len(tasks), height, legend=[legend_of(points)], sharey="col", between_columns=0.65
    )
    panels.iterations_axis(grid[0, 0], points.assign(millions=points["data"] / 1e6), log=page.log, x="millions")
    for dataset, column in zip(tasks, grid.T, strict=True):
        here = points[points["dataset"] == dataset]
        curriculum_axis(column[0], dataset, here["value"].max(), height)
        for length, axes in zip(lengths, column, strict=True):
            axes.set_title(f"{DATASETS[dataset]}, T = {length}", loc="left", fontweight="bold", pad=4)
            panel(axes, dataset, here[here["truncation_length"] == length])
    layout.label_axes(grid, "data consumed (million time steps × batch)", "task length solved")
    return figure


def curriculum_axis(axes: Axes, dataset: str, longest: float, height: float) -> None:
    """Draws a y axis of curriculum steps. If there is no room for all labels, only every second or third is shown."""
    top = int(to_steps(dataset, longest)) + 1
    every = math.ceil((top + 1.5) * 1.3 * style.SMALL / 72 / height)
    labelled = np.arange(0, top + 1, every)
    axes.set_ylim(-0.7, top + 0.4)
    axes.set_yticks(labelled, ["none", *(str(LADDERS[dataset][step]) for step in labelled[1:])])
    axes.set_yticks(np.arange(top + 1), minor=True)


def panel(axes: Axes, dataset: str, points: pd.DataFrame) -> None:
    """Draws the replicas of every method in steps of the curriculum, and the paper's diamonds on the right."""
    axes.grid(axis="y", color=style.GRID, linewidth=0.5)
    left, right = axes.get_xlim()
    for method, colour in METHODS.colours.items():
        rows = points[points["method"] == method]
        for framework in FRAMEWORKS:
            for _, curve in rows[rows["source"] == framework].groupby("seed"):
                x = (curve["data"] / 1e6).clip(lower=left)  # iteration 0 cannot be shown on a log scale
                y = to_steps(dataset, curve["value"]) + SHIFT[method]
                axes.plot(x, y, drawstyle="steps-post", color=colour, **style.REPLICA_LINES[framework])
                promoted = curve["event"].to_numpy() == "promotion"
                axes.plot(x[promoted], y[promoted], linestyle="none", color=colour, **style.REPLICA_DOTS[framework])
                if curve["event"].iloc[-1] == "diverged":
                    axes.plot(x.iloc[-1], y[-1], color=colour, **style.DIVERGED_MARK)
        for value in rows.loc[rows["source"] == "paper", "value"]:
            height = to_steps(dataset, value) + SHIFT[method]
            axes.plot(right, height, color=colour, clip_on=False, **{**style.PAPER_MARK, "zorder": 5})
