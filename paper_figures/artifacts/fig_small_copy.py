"""Copy in minutes (our addition): the data after which each task length is solved, and how well M predicts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from impls.errors import UserError
from paper_figures.claims.measures import MEASURES, data_per_iteration
from paper_figures.drawing import layout, panels, style
from paper_figures.drawing.curve_points import NUMBERS, REPLICAS, numbers
from paper_figures.drawing.figure_files import figure_files, replicas_sentence
from paper_figures.names import RECURRENT_METHODS
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import Run, shown_runs

TITLE = "Copy in minutes (our addition): task lengths solved against data consumed, one choice changed at a time"
OUTPUT = "figures/fig_small_copy.pdf"
EXPERIMENT = "small_copy"

SHOWN: Shown = {"dataset": ["copy"], "model": ["lstm"]}
SOLVED = MEASURES["max_solved_task_length"]
CELL = ["method", "truncation_length", "change"]
COLUMNS = [*CELL, "source", "obtained", "metric", "event", "seed", "data", *NUMBERS]
WHOLE = dict.fromkeys(["seed", "data", "iteration", "n", "n_diverged"], "Int64")
# In the order of the rows. Other changes come last and keep their names.
CHANGES = (
    {"none": "", "unscaled_target": "target not scaled", "factor_1": "factor 1", "fast_model": "faster M"}
    | {"deep_model": "deeper M", "state_seen": "M sees the state", "regression_gradient": "M trains the core"}
    | {"shared_phase": "all in step", "carried_state": "state carried over", "long_window": "longer window"}
    | {"large_batch": "larger batch", "slow": "slower learning", "fast": "faster learning"}
)
READ, WRITE = "explained_variance.read", "explained_variance.write"
PHASES = {READ: ("M, reading", style.THREE_SHADES[0], -0.2), WRITE: ("M, writing", style.THREE_SHADES[2], 0.2)}
LOWEST = -0.5  # lowest value shown on the right; an explained variance has no lower bound
SHADES = LinearSegmentedColormap.from_list("task lengths", style.SEVEN_SHADES[1:])
END: style.Look = {
    "marker": "|",
    "markersize": style.MARK,
    "color": style.FAINT,
    "linestyle": "none",
    "label": "end of training",
}
CROSS: style.Look = {**style.DIVERGED_MARK, "markersize": 5, "color": style.INK, "label": "diverged"}
HEIGHT, NAMES, NUMBER = 0.29, 1.85, 0.16  # inches: height of a row, width of its name, distance between numbers


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    points = pd.DataFrame([row for run in runs for row in _rows(run)], columns=COLUMNS).astype(WHOLE)
    sentences = [
        "Left: a line for each replica until the end of its training, with a dot at each task that it solved. Dots are "
        "darker for longer tasks. Numbers are task lengths, written above the first replica that solved the task, if "
        "there is room. Data: iterations x truncation length T x batch size. In rows below the grey line, one choice "
        "is changed.",
        "Right: explained variance of M at chunk boundaries, by phase of the sequence, averaged over the second half "
        "of training. 1 is a perfect prediction, and 0 (dotted) is the value of a zero gradient, as in BPTT. Triangles "
        f"at the edge are values below {LOWEST:g}.",
        replicas_sentence(runs, "in the right panel, the mean"),
    ]
    return figure_files(
        __file__, TITLE, results, request, runs, points, sentences, _draw, addition=True, length_stated=False
    )


def _rows(run: Run) -> list[dict]:
    """For every replica, its promotions and its end (value NaN if nothing was recorded); then M's quality by phase."""
    rows, reached, diverged_at = [], run.record.iteration_reached, run.diverged_at()
    solved = run.curves[(run.curves["split"] == SOLVED.split) & (run.curves["metric"] == SOLVED.metric)]
    for seed in run.record.seeds:
        last, outcome = diverged_at.get(seed, reached), "diverged" if seed in diverged_at else "end"
        curve = solved[(solved["seed"] == seed) & (solved["iteration"] <= last)].set_index("iteration")["value"]
        promotions = [("promotion", at, value) for at, value in curve[curve > 0].sort_index().items()]
        for event, at, value in [*promotions, (outcome, last, curve.max())]:
            rows.append({"metric": SOLVED.metric, "event": event, "seed": seed, "iteration": at, "value": value})
    for metric in PHASES:
        late = run.curve("batch", metric).loc[math.ceil(reached / 2) :]
        # A value of 0 means that no sequence of the batch is in this phase, as happens if all are in step.
        means = late.mask(late == 0).mean().fillna(0).mask(late.isna().any())
        found = dict(zip(NUMBERS, (reached, *numbers(means)), strict=True))
        rows += [{"metric": metric, "event": "second half", **found}] if len(late) else []
    named = {name: run.cell[name] for name in CELL} | {"source": run.record.framework, "obtained": "run"}
    return [{**named, **row, "data": row["iteration"] * data_per_iteration(run)} for row in rows]


def _draw(points: pd.DataFrame, page: style.Page) -> Figure:
    cells, order = list(points[CELL].itertuples(index=False, name=None)), {name: n for n, name in enumerate(CHANGES)}
    rows = sorted(set(cells), key=lambda cell: (order.get(cell[2], len(order)), cell[2], *cell[:2]))
    points = points.assign(y=[rows.index(cell) for cell in cells], millions=points["data"].astype(float) / 1e6)
    if page.columns == 1:
        raise UserError("the names of the rows and the two panels do not fit in one column; omit --columns.")
    by_replica, shown = points[points["metric"] == SOLVED.metric], max(len(rows), 4)
    events, metrics = set(by_replica["event"]), set(points["metric"])
    legend = layout.frameworks_legend(points, style.REPLICA_DOTS)
    legend += [Line2D([], [], **look) for event, look in {"end": END, "diverged": CROSS}.items() if event in events]
    phases = [(name, colour) for metric, (name, colour, _) in PHASES.items() if metric in metrics]
    legend += [Line2D([], [], label=name, color=colour, linewidth=2) for name, colour in phases]
    figure, ((left, right),) = layout.grid(page, 1, 2, HEIGHT * shown, legend=[legend], sharex=False, left=NAMES)
    left.get_gridspec().set_width_ratios((3.2, 1))
    panels.iterations_axis(left, by_replica, log=True, x="millions")
    left.set(xlabel="data consumed (million time steps × batch)", ylim=(shown - 0.5, -0.5))
    right.set(xlabel="explained variance", xlim=(LOWEST, 1), xticks=[LOWEST, 0, 0.5, 1])
    words = [(RECURRENT_METHODS[row[0]], f"T = {row[1]}", CHANGES.get(row[2], row[2])) for row in rows]
    left.set_yticks(range(len(rows)), [", ".join(filter(None, name)) for name in words])
    for axes, title in ((left, "task lengths solved, by replica"), (right, "quality of M")):
        axes.set_title(title, loc="left", fontweight="bold", pad=4)
        axes.hlines([y + 0.5 for y in range(len(rows) - 1)], *axes.get_xlim(), color=style.GRID, linewidth=0.5)
        axes.axhline(sum(row[2] == "none" for row in rows) - 0.5, color=style.FAINT, linewidth=0.6)
    _draw_promotions(left, by_replica)
    right.axvline(0, color=style.FAINT, **style.DOTTED)
    late = points[points["event"] == "second half"].dropna(subset="value")
    for row in late.sort_values("source", ascending=False, kind="stable").itertuples():  # PyTorch below JAX
        _, colour, shift = PHASES[row.metric]
        look = {**style.FRAMEWORK_DOTS[row.source], "color": colour, "marker": "o" if row.value >= LOWEST else "<"}
        few = [getattr(row, name) for name in REPLICAS]
        low, high = (row.low, row.high) if np.isnan(few).all() else (np.nanmin(few), np.nanmax(few))
        right.hlines(row.y + shift, low, high, colour, lw=look["markersize"] / 4, alpha=look.get("alpha"))
        right.plot(max(row.value, LOWEST), row.y + shift, clip_on=False, zorder=3, **look)
    return figure


def _draw_promotions(axes: Axes, by_replica: pd.DataFrame) -> None:
    start, end = axes.get_xlim()
    seeds = by_replica["seed"].astype(int).groupby(by_replica["y"])  # each seed has a lane in the lower half of the row
    lanes = by_replica["y"] + 0.42 * (seeds.rank("dense") - 0.5) / seeds.transform("nunique")
    by_replica = by_replica.assign(lane=lanes, millions=by_replica["millions"].clip(lower=start))
    for event, look in {"end": END, "diverged": CROSS}.items():
        last = by_replica[by_replica["event"] == event].dropna(subset="value")
        axes.hlines(last["lane"], start, last["millions"], color=style.GRID, linewidth=0.6, zorder=1)
        axes.plot(last["millions"], last["lane"], **look)
    solved = by_replica[by_replica["event"] == "promotion"]
    shades = {"cmap": SHADES, "vmin": solved["value"].min(), "vmax": solved["value"].max(), "linewidths": 0}
    for source, look in style.REPLICA_DOTS.items():
        mine, size = solved[solved["source"] == source], look["markersize"] ** 2
        axes.scatter(mine["millions"], mine["lane"], size, mine["value"], alpha=look.get("alpha"), zorder=3, **shades)
    room = (end / start) ** (NUMBER / axes.get_position().width / style.figure_of(axes).get_figwidth())
    for y, row in solved.groupby("y"):
        beyond = math.inf  # the longest task comes first
        for length, x in row.groupby("value")["millions"].min()[::-1].items():
            if x * room <= beyond:
                style.write_beside(axes, f"{length:.0f}", (x, y - 0.08), (0, 0), ha="center", va="baseline")
                beyond = x
