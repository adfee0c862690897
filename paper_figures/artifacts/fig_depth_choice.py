"""Our ablation: how choosing the depth of M by test error, as the paper did, changes the reported number.

Each replica chooses among its trainings with M of 0, 1 and 2 hidden layers the best by test or by validation error.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures.drawing import layout, notes, panels, style
from paper_figures.drawing.curve_points import NUMBERS, REPLICAS, numbers
from paper_figures.drawing.figure_files import figure_files, replicas_sentence
from paper_figures.names import FRAMEWORKS
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import Run, select_runs, shown_runs

TITLE = "our ablation: test error with the depth of M chosen by test or by validation error"
OUTPUT = "figures/fig_depth_choice.pdf"
EXPERIMENT = "linear_dni"

NET_DEPTHS = panels.Family("depth", style.DEPTHS, "{} layers")
MODEL_DEPTHS = (0, 1, 2)
SHOWN: Shown = {"dataset": ["mnist"], "model": ["fcn"], "method": ["dni"], "depth": NET_DEPTHS.colours}
# By the split used for the choice: name, shift along the x axis, fill colour of the dot.
CHOICES = {
    "test": ("depth of M chosen by test error", -0.13, "white"),
    "valid": ("chosen by validation error", 0.13, style.INK),
}


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    rows = []
    for framework in FRAMEWORKS:
        for depth in NET_DEPTHS.colours:
            tried = [run for run in select_runs(runs, depth=depth) if run.record.framework == framework]
            rows += [[depth, framework, "run", *choice] for choice in _choices(tried)]
    columns = ["depth", "source", "obtained", "chosen_on", "chosen", "trainings", "trainings_diverged", *NUMBERS]
    points = pd.DataFrame(rows, columns=columns)
    held_out = sorted({f"{run.record.spec.get('validation_examples', 0):,}" for run in runs})
    sentences = [
        replicas_sentence(runs, "mean test error at the end of training"),
        "Each replica chooses among its three trainings (M of 0, 1 and 2 hidden layers) the one with the lowest test "
        "error (hollow) or validation error (filled) at the end. Ties go to fewer hidden layers. The label of a dot is "
        "the number of hidden layers chosen most often, with the share of replicas in brackets unless all chose it. "
        f"Validation error is measured on {' or '.join(held_out) or 'no'} held-out training examples.",
        "A choice by test error reports the lowest of three test errors, which is optimistic. A choice by validation "
        "error avoids this. The difference between the two dots, which is never negative, is this optimism. The paper "
        "chose by test error.",
        *_notes(points),
    ]
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, _draw, addition=True)


def _choices(runs: list[Run]) -> list[list]:
    """A row, from column "chosen_on" on, for each recorded split; no rows unless M was trained at every depth.

    The trainings are compared at the last iteration at which all of them were evaluated.
    """
    tried = {run.cell["synthetic_gradient_depth"]: run for run in runs}
    if set(tried) != set(MODEL_DEPTHS):
        return []

    def errors(split: str) -> pd.DataFrame:
        """[seeds, depths of M] at that iteration; empty if the split was not recorded."""
        curves = {depth: tried[depth].curve(split, "error") for depth in MODEL_DEPTHS}
        ends = {depth: curve.loc[iteration] for depth, curve in curves.items() if iteration in curve.index}
        return pd.concat(ends, axis=1, join="inner") if len(ends) == len(tried) else pd.DataFrame()

    evaluated = set.intersection(*(set(run.curve("test", "error").index) for run in runs)) - {0}
    if not evaluated:
        return []
    iteration = max(evaluated)
    test = errors("test")
    rows = []
    for split in CHOICES:
        chosen = errors(split).dropna(how="all").idxmin(axis=1)  # a training that diverged is not chosen
        values = pd.Series({seed: test.loc[seed, depth] for seed, depth in chosen.items()}, dtype=float)
        if not errors(split).empty:
            found = [iteration, *numbers(values.reindex(test.index).to_numpy())]
            rows.append([split, _most_common(list(chosen)), test.size, test.isna().sum().sum(), *found])
    return rows


def _most_common(depths: list[int]) -> str:
    if not depths:
        return ""
    depth, count = Counter(sorted(depths)).most_common(1)[0]
    return f"{depth}" if count == len(depths) else f"{depth} ({count}/{len(depths)})"


def _draw(points: pd.DataFrame, page: style.Page) -> Figure:
    dot: style.Look = {"linestyle": "none", **style.DOT}
    found = set(points["chosen_on"])
    choices = [(name, inside) for split, (name, _, inside) in CHOICES.items() if split in found]
    legend = [Line2D([], [], label=name, color=style.INK, mfc=inside, **dot) for name, inside in choices]
    frameworks = notes.frameworks_of(points)
    figure, grid = layout.grid(page, 1, len(frameworks), 2.3, legend=[legend])
    first = grid[0, 0]
    first.set_xticks(list(NET_DEPTHS.colours))
    first.set_xlim(min(NET_DEPTHS.colours) - 0.5, max(NET_DEPTHS.colours) + 0.5)
    # Intervals are considered up to twice the highest and half the lowest value.
    least, most = points["value"].min() / 2, points["value"].max() * 2
    intervals = [points.assign(value=points[end].clip(least, most)) for end in ("value", "low", "high", *REPLICAS)]
    panels.values_axis(first, pd.concat(intervals), log=page.log, headroom=math.inf)
    for axes, framework in zip(grid.flat, frameworks, strict=True):
        axes.set_title(FRAMEWORKS[framework], loc="left", fontweight="bold", pad=4)
        _panel(axes, points[points["source"] == framework])
    layout.label_axes(grid, "layers of the net (at the dots: hidden layers of M)", "test error (%)")
    return figure


def _panel(axes: Axes, points: pd.DataFrame) -> None:
    axes.grid(axis="y", color=style.GRID, linewidth=0.5)
    for depth, pair in points.dropna(subset="value").groupby("depth"):
        axes.plot([depth + CHOICES[split][1] for split in pair["chosen_on"]], pair["value"], color=style.FAINT, lw=0.8)
        for _, row in pair.iterrows():
            _, shift, inside = CHOICES[row["chosen_on"]]
            panels.draw_dot(axes, depth + shift, row, color=style.INK, mfc=inside, **style.DOT)
            # In a pair, the choice by test error is never the higher dot, so its label is below the dot.
            below = row["chosen_on"] == "test"
            va, gap = ("top", -4) if below else ("bottom", 4)
            few = [row[name] for name in REPLICAS if np.isfinite(row[name])]
            end = (min if below else max)(few or [row["low"] if below else row["high"]])
            end = np.clip(end, *_inside(axes))
            style.write_beside(axes, row["chosen"], (depth + shift, end), (0, gap), ha="center", va=va)


def _inside(axes: Axes) -> tuple[float, float]:
    """The lowest and the highest place of a label that leaves room for it in the panel."""
    to_data = axes.transLimits.inverted() + axes.transScale.inverted()
    low, high = (float(to_data.transform((0, share))[1]) for share in (0.08, 0.92))
    return low, high


def _notes(points: pd.DataFrame) -> list[str]:
    """Sentences about nets without all three trainings, trainings that diverged, and runs without validation."""
    ran = notes.frameworks_of(points)
    if not ran:
        return ["No run of one net with all three depths of M."]
    found = notes.Notes(NET_DEPTHS, ran)
    unvalidated = []
    for framework in ran:
        mine = points[points["source"] == framework]
        for depth in NET_DEPTHS.colours:
            rows = mine[mine["depth"] == depth]
            if rows.empty:
                found.add(notes.NO_RUN, " (of all M or some)", "", framework, depth)
            elif gone := rows["trainings_diverged"].iloc[0]:
                remark = f" ({gone} of {rows['trainings'].iloc[0]} trainings)"
                found.add(notes.DIVERGED, remark, "", framework, depth)
        if "valid" not in set(mine["chosen_on"]):
            unvalidated.append(FRAMEWORKS[framework])
    unrecorded = [f"Validation error was not recorded: {', '.join(unvalidated)}."] if unvalidated else []
    return [*found.sentences((notes.NO_RUN, notes.DIVERGED)), *unrecorded]
