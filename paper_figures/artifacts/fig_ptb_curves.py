"""Penn Treebank: test bits per character against iterations x T, ours over the paper's plot ("Recurrent nets").

One panel per method, one colour per truncation length T. On a stand-in text, whose entropy is known, the limit is drawn
in place of the paper's curves, which are about another text.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from paper_figures.claims.matching import cell_of, read_claims
from paper_figures.drawing import layout, panels, style
from paper_figures.drawing.curve_points import at_the_end, our_points
from paper_figures.drawing.figure_files import figure_files, replicas_sentence
from paper_figures.names import RECURRENT_METHODS
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.runs import Run, read_runs, select_runs

TITLE = "Penn Treebank: test bits per character against iterations times truncation length"
OUTPUT = "figures/fig_ptb_curves.pdf"
EXPERIMENT = "recurrent"

LENGTHS = panels.Family("truncation_length", style.TRUNCATION_LENGTHS, "T = {}")
LONGEST = {"dni": 8, "dni_aux": 8}  # the paper's longest T, where it is not the longest of all
METRIC = "bits_per_character"
LEAST = 0.15  # bits above the worst end of a curve that are shown, at least


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    claims = read_claims()
    runs = select_runs(read_runs(results, EXPERIMENT), dataset="ptb", model="lstm")
    runs = [run for run in runs if run.cell["truncation_length"] in LENGTHS.colours]
    all_stand_ins = bool(runs) and all(run.stand_in for run in runs)
    points = [our_points(runs, ["method", "truncation_length"], metric=METRIC)]
    points += [] if all_stand_ins else [_paper_points(claims[claims["artifact"] == Path(__file__).stem])]
    points = pd.concat(points, ignore_index=True)
    points.insert(2, "time_steps", points["iteration"] * points["truncation_length"])
    limits = _entropy_rates(runs)
    sentences = [
        replicas_sentence(runs, "mean test bits per character"),
        "Training ends once every replica's validation error has risen; its result, which the table has, is its test "
        "error just before.",
        *(
            f"Dotted: {limit:.3f} bits, the entropy rate of the stand-in text, below which no model can come."
            for limit in limits
        ),
        "The paper's curves are of another text than the stand-in and so not shown."
        if all_stand_ins
        else "Dashed: the paper's curves, read off its plot to 0.001 bits; panels without them: none was read there.",
    ]
    draw = partial(_draw, limits=limits)
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, draw, length_stated=False)


def _paper_points(claims: pd.DataFrame) -> pd.DataFrame:
    lengths = [int(cell_of(claim)["truncation_length"]) for claim in claims.to_dict("records")]
    points = claims[["method", "obtained", "iteration", "value"]].astype({"iteration": int})
    return points.assign(truncation_length=lengths, source="paper", split="test", metric=METRIC)


def _entropy_rates(runs: list[Run]) -> list[float]:
    """Of the stand-in texts, in bits per character; older records do not say it."""
    entries = [entry for run in runs for entry in run.record.data if entry.source == "stand-in"]
    rates = [entry.facts.get("entropy_rate") for entry in entries]
    return sorted({rate for rate in rates if rate is not None})


def _draw(points: pd.DataFrame, head: style.Head, limits: list[float]) -> Figure:
    ink: style.Look = {"color": style.INK}
    legend = layout.frameworks_legend()
    if (points["source"] == "paper").any():
        legend.append(Line2D([], [], label="paper's plot", **ink, **style.PAPER_LINE))
    if limits:
        words = " and ".join(f"{limit:.2f}" for limit in limits)
        legend.append(Line2D([], [], label=f"limit: the stand-in's entropy rate ({words} bits)", **ink, **style.DOTTED))
    methods = RECURRENT_METHODS
    figure, grid = layout.grid(head, 1, len(methods), 2.9, legend=[legend, LENGTHS.legend()])
    _bits(grid[0, 0], points, limits)
    inside = points[points["value"] < grid[0, 0].get_ylim()[1]]
    panels.log_iterations(grid[0, 0], inside, label_room=0.1, x="time_steps")
    for axes, (method, name) in zip(grid.flat, methods.items(), strict=True):
        axes.set_title(name, loc="left", fontweight="bold", pad=4)
        for limit in limits:
            axes.axhline(limit, color=style.FAINT, **style.DOTTED)
        mine = points[points["method"] == method]
        lengths = [length for length in LENGTHS.colours if length <= LONGEST.get(method, length)]
        kept = {length: LENGTHS.colours[length] for length in sorted({*lengths, *mine["truncation_length"]})}
        _panel(axes, mine, replace(LENGTHS, colours=kept))
    layout.label_axes(grid, "training iterations × T", "test bits per character")
    return figure


def _bits(axes: Axes, points: pd.DataFrame, limits: list[float]) -> None:
    """A y axis from the least value or limit up to where the differences between the curves' ends can still be seen."""
    shown = points[points["iteration"] > 0].dropna(subset="value")
    ends = at_the_end(shown.drop(columns="time_steps"))["value"]
    values, ends = [*shown["value"], *limits], [*ends, *limits]
    if not values:
        values, ends = [1.0, 2.0], [2.0]
    low, worst = min(values), max(ends)
    high = min(max(values), worst + max(LEAST, worst - low))
    margin = 0.05 * max(high - low, 0.05)
    axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))


def _panel(axes: Axes, points: pd.DataFrame, lengths: panels.Family) -> None:
    # Curves come from the upper left.
    ours, papers = panels.draw_curves(axes, points, lengths, note="upper right", x="time_steps"), []
    for length, curve in points[points["source"] == "paper"].groupby("truncation_length"):
        colour, last = lengths.colours[length], curve.iloc[-1]
        axes.plot(curve["time_steps"], curve["value"], color=colour, zorder=1.9, **style.PAPER_LINE)
        papers.append((last["time_steps"], last["value"], str(length), colour))
    style.label_ends(axes, panels.join_ends(axes, ours, papers, "□"))
