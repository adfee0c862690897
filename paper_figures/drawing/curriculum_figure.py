"""The two figures of curricula: the longest task that each replica has solved, against the data consumed.

One row of panels per truncation length T, one colour per method; a line per replica, with a dot at every promotion.
Heights are steps of the curriculum, labelled with their task lengths. Diamonds are the paper's table.
"""

from __future__ import annotations

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
from paper_figures.drawing import layout, panels, style
from paper_figures.drawing.figure_files import figure_files
from paper_figures.names import DATASETS, FRAMEWORKS, RECURRENT_METHODS
from paper_figures.provenance.stamps import Request
from paper_figures.runs import Run, read_runs, select_runs

METRIC = "max_solved_task_length"
TASKS = ("copy", "repeat_copy")
METHODS = panels.Family(
    "method", dict(zip(RECURRENT_METHODS, style.THREE_SHADES, strict=True)), names=RECURRENT_METHODS
)
SHIFT = dict(zip(METHODS.colours, (-0.16, 0.0, 0.16), strict=True))  # in steps, so that lines on one rung all show
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
    """The contents of one figure's .pdf, .svg, .png, .csv and .json files, by suffix; `about` opens the caption."""
    claims = read_claims()
    claims = claims[(claims["metric"] == METRIC) & claims["dataset"].isin(TASKS)]
    runs = select_runs(read_runs(results, experiment), model="lstm")
    runs = [run for run in runs if run.cell["dataset"] in TASKS]
    rows = [row for run in runs for row in _climbs(run)]
    points = pd.DataFrame([*rows, *_papers(claims)], columns=COLUMNS)
    points = points.astype({"seed": "Int64", "iteration": "Int64"})
    counts = sorted({len(run.record.seeds) for run in runs})
    sentences = [
        about,
        f"Ours: a line for each replica ({' or '.join(map(str, counts)) or 'none'}), with a dot at each promotion to "
        "the next task of the curriculum, at the length of the task just solved. Steps of the curriculum are equally "
        "high; methods are shifted a little, so that lines at one height all show.",
        "Data: iterations x truncation length T x batch. Diamonds, at no place of that axis: the paper's table.",
        "Only truncation lengths with a run have panels." if runs else "",
    ]
    return figure_files(
        module_file, title, results, request, runs, points, sentences, _draw, addition=addition, length_stated=False
    )


def _climbs(run: Run) -> list[list]:
    """Rows of `COLUMNS` for every replica: its start, its promotions, and where it ended or diverged."""
    cell, measure, gone = run.cell, MEASURES[METRIC], run.diverged_at()
    named = [*(cell[name] for name in CELL), run.record.framework, "run"]
    curves = run.curves[(run.curves["split"] == measure.split) & (run.curves["metric"] == measure.metric)]
    rows = []
    for seed, climb in curves.dropna(subset="value").sort_values("iteration").groupby("seed"):
        points = [("promotion" if at else "start", at, value) for at, value in climb[["iteration", "value"]].to_numpy()]
        end = ("diverged", gone[seed]) if seed in gone else ("end", run.record.iteration_reached)
        points = [point for point in points if point[1] <= end[1]]
        for event, at, value in [*points, (*end, points[-1][2])]:
            rows.append([*named, seed, event, at, at * data_per_iteration(run), value])
    return rows


def _papers(claims: pd.DataFrame) -> list[list]:
    return [
        [
            *(row["dataset"], row["method"], int(cell_of(row)["truncation_length"]), "paper", row["obtained"]),
            *(None, "end", None, math.nan, row["value"]),
        ]
        for row in claims.to_dict("records")
    ]


def _draw(points: pd.DataFrame, head: style.Head) -> Figure:
    ours = points[points["obtained"] == "run"]
    lengths = sorted(set(ours["truncation_length"])) or sorted(set(points["truncation_length"]))
    points = points[points["truncation_length"].isin(lengths)]
    ours = ours.assign(millions=ours["data"] / 1e6)
    diamond = Line2D([], [], label="paper's table", color=style.INK, **style.PAPER_MARK)
    height = 1.55 if len(lengths) > 2 else 2.2
    legend = [*layout.frameworks_legend(), diamond, *METHODS.legend()]
    figure, grid = layout.grid(
        head, len(lengths), len(TASKS), height, legend=[legend], sharey="col", between_columns=0.65
    )
    panels.log_iterations(grid[0, 0], ours, x="millions", unit=1000)
    for dataset, column in zip(TASKS, grid.T, strict=True):
        here = points[points["dataset"] == dataset]
        _rungs(column[0], dataset, here["value"].max(), height)
        for length, axes in zip(lengths, column, strict=True):
            title = f"{DATASETS[dataset]}, T = {length}"
            axes.set_title(title, loc="left", fontweight="bold", pad=4)
            _panel(axes, dataset, here[here["truncation_length"] == length])
    layout.label_axes(grid, "data consumed (million time steps × batch)", "task length solved")
    return figure


def _rungs(axes: Axes, dataset: str, longest: float, height: float) -> None:
    """A y axis of curriculum steps; where there is no room for all labels, every second or third has one."""
    top = int(to_steps(dataset, longest)) + 1
    every = math.ceil((top + 1.5) * 1.3 * style.SMALL / 72 / height)
    labelled = np.arange(0, top + 1, every)
    axes.set_ylim(-0.7, top + 0.4)
    axes.set_yticks(labelled, ["none", *(str(LADDERS[dataset][step]) for step in labelled[1:])])
    axes.set_yticks(np.arange(top + 1), minor=True)


def _panel(axes: Axes, dataset: str, points: pd.DataFrame) -> None:
    axes.grid(axis="y", color=style.GRID, linewidth=0.5)
    missing: panels.Found = {}
    diverged: panels.Found = {}
    left, right = axes.get_xlim()
    labels = []
    for method, colour in METHODS.colours.items():
        rows = points[points["method"] == method]
        for framework, name in FRAMEWORKS.items():
            climbs = rows[rows["source"] == framework]
            for _, climb in climbs.groupby("seed"):
                x = (climb["data"] / 1e6).clip(lower=left)  # the start has no place on a logarithmic axis
                y = to_steps(dataset, climb["value"]) + SHIFT[method]
                axes.plot(x, y, drawstyle="steps-post", color=colour, **style.REPLICA_LINES[framework])
                risen = climb["event"].to_numpy() == "promotion"
                axes.plot(x[risen], y[risen], linestyle="none", color=colour, **style.REPLICA_DOTS[framework])
                if climb["event"].iloc[-1] == "diverged":
                    axes.plot(x.iloc[-1], y[-1], color=colour, **style.DIVERGED_MARK)
            lost = int((climbs["event"] == "diverged").sum())
            if climbs.empty:
                missing.setdefault(name, {}).setdefault("", []).append(method)
            elif lost:
                count = panels.count_in_brackets(lost, climbs["seed"].nunique())
                diverged.setdefault(name, {}).setdefault(count, []).append(method)
        for value in rows.loc[rows["source"] == "paper", "value"]:
            height = to_steps(dataset, value) + SHIFT[method]
            axes.plot(right, height, color=colour, clip_on=False, **{**style.PAPER_MARK, "zorder": 5})
            labels.append((right, height, f"{value:.0f}", colour))
    panels.write_failures(axes, missing, diverged, METHODS, "upper left")
    style.label_ends(axes, labels)
