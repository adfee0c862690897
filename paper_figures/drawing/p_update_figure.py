"""The p_update figures: the test error of every replica against the update probability of its layers.

There is one row of panels per method or setting, and one column per snapshot of the paper. Our dots are overlaid with
the paper's medians, read off its figures. Each median is a bar over its bin of p_update. It is compared with the curve
through our dots, which is drawn where there are enough of them.
"""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures.claims.estimates import LEAST_TO_FIT, curve_at
from paper_figures.claims.matching import bin_of, read_claims
from paper_figures.claims.measures import MEASURES, NEAR
from paper_figures.drawing import layout, notes, panels, style
from paper_figures.drawing.curve_points import paper_iterations
from paper_figures.drawing.figure_files import NOT_COMPARABLE, figure_files
from paper_figures.names import FEEDFORWARD_METHODS, FRAMEWORKS
from paper_figures.provenance.stamps import Request
from paper_figures.registry import Shown
from paper_figures.runs import Run, can_be_compared, select_runs

# Titles of the rows, and the fields of their cells.
Rows = dict[str, dict[str, Any]]
METHODS: Rows = {FEEDFORWARD_METHODS[method]: {"method": method} for method in ("dni", "cdni")}
SHOWN: Shown = {"dataset": ["mnist"], "model": ["fcn"], "depth": [4], "method": ["dni", "cdni"]}
SNAPSHOTS = (5_000, 12_000, 25_000, 250_000, 500_000)  # the paper's, in iterations
# In shortened runs, the greatest distance of an evaluation from its snapshot, as a fraction of the snapshot. It can be
# large because such runs are not compared with the paper.
NEAR_IN_SHORT_RUNS = 0.25
MEASURE = MEASURES["test_error"]
FIT = "fit"  # `obtained` of a point of the curve through our dots
FIT_AT = 25  # points of that curve
DIVERGED = "diverged"  # the `note` of a replica whose value is not finite
COLUMNS = [  # after the fields of the rows
    "snapshot",
    "source",
    "obtained",
    "seed",
    "p_update",
    "p_low",
    "p_high",
    "iteration",
    "value",
    "note",
]

COLOUR = style.DEPTHS[4]  # these nets have four layers
# Bars are on top of the dots, with a white rim that keeps them visible among a hundred dots.
RIM = [patheffects.withStroke(linewidth=3, foreground="white")]
PAPER_BAR: style.Look = {"color": style.INK, "linewidth": 1.6, "path_effects": RIM}
FIT_LINE: dict[str, style.Look] = {"torch": {"linewidth": 1.6, "alpha": 0.4}, "jax": {"linewidth": 0.7}}
DIVERGED_DOT: style.Look = {**style.DIVERGED_MARK, "markersize": 5, "zorder": 8}


def make(module_file: str, title: str, runs: list[Run], results: Path, request: Request) -> dict[str, bytes]:
    """The contents of a figure's .pdf, .svg, .png, .csv and .json files, by suffix."""
    claims = read_claims()
    claims = claims[claims["artifact"] == Path(module_file).stem]
    points = figure_points(runs, claims, METHODS)
    draw = partial(figure, runs=runs, rows=METHODS)
    return figure_files(module_file, title, results, request, runs, points, sentences(runs, points, METHODS), draw)


def figure_points(runs: list[Run], claims: pd.DataFrame, rows: Rows) -> pd.DataFrame:
    """The dots and curves of `runs` and the paper's medians in `claims`, with the fields of their row."""
    fields = list(next(iter(rows.values())))
    found = [_our_points(runs, row).assign(**row) for row in rows.values()]
    found += (
        []
        if not can_be_compared(runs)
        else [_paper_points(claims[claims["method"] == row["method"]]).assign(**row) for row in rows.values()]
    )
    return pd.concat(found, ignore_index=True)[[*fields, *COLUMNS]]


def at_paper_scale(runs: list[Run]) -> bool:
    """Whether panels show the paper's snapshots.

    If all runs are shorter than the first snapshot, panels show the same fractions of their length instead.
    """
    return not runs or max(run.record.iterations for run in runs) >= SNAPSHOTS[0]


def _our_points(runs: list[Run], fields: dict[str, Any]) -> pd.DataFrame:
    """A row per replica and snapshot; a single row with a `note` if a run has no evaluation there."""
    scaled = not at_paper_scale(runs)
    rows = []
    for framework in FRAMEWORKS:
        found = [run for run in select_runs(runs, **fields) if run.record.framework == framework]
        for snapshot in SNAPSHOTS if found else ():
            points = _snapshot(found[0], snapshot, scaled)
            named = {"source": framework, "obtained": "run", "snapshot": snapshot}
            rows += [{**named, **point} for point in [*points, *_fit(points)]]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"seed": "Int64", "iteration": "Int64"})


def _fit(dots: list[dict]) -> list[dict]:
    """Rows of the curve through dots, at `FIT_AT` places; none where they are too few."""
    whole = [dot for dot in dots if dot.get("value", 0) > 0 and dot["p_update"] > 0]
    if len(whole) < LEAST_TO_FIT:
        return []
    p_update, values = ([dot[name] for dot in whole] for name in ("p_update", "value"))
    places = np.geomspace(min(p_update), max(p_update), FIT_AT).clip(min(p_update), max(p_update))
    iteration = whole[0]["iteration"]
    return [
        {"obtained": FIT, "p_update": at, "iteration": iteration, "value": curve_at(p_update, values, at).mean}
        for at in places
    ]


def _snapshot(run: Run, snapshot: int, scaled: bool) -> list[dict]:
    """The rows of a run at one of the paper's snapshots, or (`scaled`) at the same fraction of the run's length."""
    length = run.record.iterations if scaled else paper_iterations()
    wanted = max(1, round(snapshot / paper_iterations() * length))
    if wanted > run.record.iteration_reached:
        return [{"note": f"not reached ({run.record.iteration_reached:,} of {wanted:,})"}]
    curve = run.curve(MEASURE.split, MEASURE.metric)
    evaluated = curve.index[curve.index > 0].to_numpy()
    nearest = int(evaluated[np.argmin(np.abs(evaluated - wanted))])
    if abs(nearest - wanted) > (NEAR_IN_SHORT_RUNS if scaled else NEAR) * wanted:
        return [{"note": f"not evaluated at {wanted:,}; the nearest is {nearest:,}"}]
    rows = []
    for seed, p_update in run.replica_setting("p_update").items():
        value = curve.loc[nearest, seed]
        outcome = {"value": value} if np.isfinite(value) else {"note": DIVERGED}
        rows.append({"seed": seed, "p_update": p_update, "iteration": nearest, **outcome})
    return rows


def _paper_points(claims: pd.DataFrame) -> pd.DataFrame:
    bins = claims["replicas"].map(bin_of)
    points = claims[["obtained", "value"]].assign(source="paper", snapshot=claims["iteration"])
    ends = {"p_low": bins.map(lambda found: found.low), "p_high": bins.map(lambda found: found.high)}
    return points.assign(**ends, iteration=claims["iteration"].astype("Int64"))


def sentences(runs: list[Run], points: pd.DataFrame, rows: Rows) -> list[str]:
    """The caption."""
    replicas = sorted({len(run.record.seeds) for run in runs})
    count = " or ".join(str(n) for n in replicas) if replicas else "no"
    found = [
        f"Dots: test error of single replicas ({count}), evaluated with the layers connected.",
        "Lines: one curve through the replicas (log error, cubic in log p_update), which is what is compared with the "
        "paper.",
        "Black bars: medians of the paper's dots in bins of p_update, read off its figure to 0.1 percentage points. No "
        "medians were read for panels without bars."
        if can_be_compared(runs)
        else NOT_COMPARABLE,
        *_notes(points, rows),
    ]
    if not at_paper_scale(runs):
        found.append(
            "These runs end before the paper's first snapshot. Each panel shows the same fraction of the run as the "
            f"paper's panel does of its {paper_iterations():,} iterations, at the nearest evaluation."
        )
    return found


def _notes(points: pd.DataFrame, rows: Rows) -> list[str]:
    """Sentences about rows and snapshots without dots, and about replicas that diverged."""
    ran = notes.frameworks_of(points)
    found: dict[str, dict[str, str]] = {notes.NO_RUN: {}, notes.DIVERGED: {}, "No dots": {}}
    for (title, fields), framework in itertools.product(rows.items(), ran):
        mine = _of_row(points[points["source"] == framework], fields)
        name = f"{title} in {FRAMEWORKS[framework]}"
        if mine.empty:
            found[notes.NO_RUN][name] = "all"
            continue
        dots = mine[mine["obtained"] != FIT]
        gone, all_of = (dots[dots["note"] == DIVERGED], dots.dropna(subset="seed"))
        if len(gone):
            found[notes.DIVERGED][name] = f"{gone['seed'].nunique()} of {all_of['seed'].nunique()}"
        remarks = dots["note"].dropna()
        found["No dots"][name] = "; ".join(dict.fromkeys(remarks[remarks != DIVERGED]))
    texts = (notes.sentence(word, by_name) for word, by_name in found.items())
    return [*notes.absent_frameworks(ran), *filter(None, texts)]


def figure(points: pd.DataFrame, page: style.Page, *, runs: list[Run], rows: Rows) -> Figure:
    """A row of panels for each of `rows`, and a column for each snapshot, that have dots."""
    dots = points[(points["obtained"] == "run") & points["p_update"].notna()]
    rows = {title: fields for title, fields in rows.items() if len(_of_row(dots, fields))}
    snapshots = sorted(dots["snapshot"].unique())
    points = points[points["snapshot"].isin(snapshots)]
    points = pd.concat([_of_row(points, fields) for fields in rows.values()])
    bars = [Line2D([], [], label="paper: median of its dots in a bin", **PAPER_BAR)]
    bars = bars if (points["source"] == "paper").any() else []
    legend = [*layout.frameworks_legend(dots, style.REPLICA_DOTS), *bars]
    drawn, grid = layout.grid(page, len(rows), len(snapshots), 1.4, legend=[legend], between_rows=0.2)
    values = points["value"][points["value"] > 0]
    first = grid[0, 0]
    first.set(xlim=(-0.04, 1.04), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
    if page.log:
        first.set(yscale="log", ylim=(values.min() * 0.8, values.max() * 1.25))
        panels.log_ticks(first.yaxis)
    else:
        first.set(ylim=(0, values.max() * 1.05))
        panels.linear_ticks(first.yaxis)
    for panels_of_row, fields in zip(grid, rows.values(), strict=True):
        here = _of_row(points, fields)
        for axes, snapshot in zip(panels_of_row, snapshots, strict=True):
            _panel(axes, here[here["snapshot"] == snapshot])
    for axes, snapshot in zip(grid[0], snapshots, strict=True):
        title = _panel_title(snapshot, points[points["snapshot"] == snapshot], at_paper_scale(runs))
        axes.set_title(title, loc="left", fontweight="bold", fontsize=style.SMALL, pad=4)
    layout.label_axes(grid, "p_update", *(f"{title}: test error (%)" for title in rows))
    return drawn


def _of_row(points: pd.DataFrame, fields: dict[str, Any]) -> pd.DataFrame:
    return points[(points[list(fields)] == list(fields.values())).all(axis=1)]


def _panel_title(snapshot: int, points: pd.DataFrame, paper_scale: bool) -> str:
    if paper_scale:
        return f"{snapshot:,} iterations"
    share = f"{100 * snapshot / paper_iterations():g}%"
    at = points["iteration"][points["obtained"] == "run"].dropna().unique()
    return f"at {at[0]:,} ({share})" if len(at) == 1 else f"{share} of a run"


def _panel(axes: Axes, points: pd.DataFrame) -> None:
    axes.grid(axis="y", color=style.GRID, linewidth=0.5)
    paper = points[points["source"] == "paper"]
    axes.hlines(paper["value"], paper["p_low"], paper["p_high"], zorder=3, capstyle="butt", **PAPER_BAR)
    for framework in FRAMEWORKS:
        ours = points[(points["source"] == framework) & (points["obtained"] != FIT)]
        fit = points[(points["source"] == framework) & (points["obtained"] == FIT)]
        # An error of zero cannot be shown on a log scale. Its dot is drawn on the x axis.
        values = ours["value"].astype(float).clip(lower=axes.get_ylim()[0])
        axes.plot(ours["p_update"], values, linestyle="none", color=COLOUR, zorder=2, **style.REPLICA_DOTS[framework])
        diverged = ours.loc[ours["note"] == DIVERGED, "p_update"]
        on_top = {"transform": axes.get_xaxis_transform(), "clip_on": False, "color": COLOUR, **DIVERGED_DOT}
        axes.plot(diverged, np.ones(len(diverged)), **on_top)
        axes.plot(fit["p_update"], fit["value"], color=COLOUR, zorder=1, **FIT_LINE[framework])
