"""Penn Treebank: test bits per character against iterations x T, ours and the paper's ("Recurrent nets").

One panel per method, one colour per truncation length T. A stand-in text has a known entropy rate, which is
drawn as the limit. If all runs use a stand-in text, the paper's curves, which are for a different text, are omitted.
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
LONGEST = {"dni": 8, "dni_aux": 8}  # the paper's longest T of a method, if other methods have longer ones
METRIC = "bits_per_character"
LEAST = 0.15  # bits shown above the highest final value, at least


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
        "Training ends when the validation error of every replica has risen. The result of a replica, shown in "
        "table_rnn, is its test error at the evaluation before the first rise.",
        *(
            f"Dotted: {limit:.3f} bits, the entropy rate of the stand-in text, which is the lower limit for any model."
            for limit in limits
        ),
        "The paper's curves are not shown because they are for a different text."
        if all_stand_ins
        else "Dashed: the paper's curves, read off its plot to 0.001 bits. Panels without them: none were read.",
    ]
    draw = partial(_draw, limits=limits)
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, draw, length_stated=False)


def _paper_points(claims: pd.DataFrame) -> pd.DataFrame:
    lengths = [int(cell_of(claim)["truncation_length"]) for claim in claims.to_dict("records")]
    points = claims[["method", "obtained", "iteration", "value"]].astype({"iteration": int})
    return points.assign(truncation_length=lengths, source="paper", split="test", metric=METRIC)


def _entropy_rates(runs: list[Run]) -> list[float]:
    """Entropy rates of the stand-in texts in bits per character; older records do not contain them."""
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
    _bits_axis(grid[0, 0], points, limits)
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


def _bits_axis(axes: Axes, points: pd.DataFrame, limits: list[float]) -> None:
    """Sets a y axis from the lowest value or limit to a top that keeps differences of final values visible."""
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
    # Curves start at the upper left.
    ours, papers = panels.draw_curves(axes, points, lengths, note="upper right", x="time_steps"), []
    for length, curve in points[points["source"] == "paper"].groupby("truncation_length"):
        colour, last = lengths.colours[length], curve.iloc[-1]
        axes.plot(curve["time_steps"], curve["value"], color=colour, zorder=1.9, **style.PAPER_LINE)
        papers.append((last["time_steps"], last["value"], str(length), colour))
    style.label_ends(axes, panels.join_ends(axes, ours, papers, "□"))
