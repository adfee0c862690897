"""Penn Treebank: test bits per character against iterations x T, ours and the paper's ("Recurrent nets").

One panel per method, one colour per truncation length T. A stand-in text has a known entropy rate, which is
drawn as the limit. The paper's curves are drawn if a run has its text and its net.
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
from paper_figures.drawing.curve_points import at_the_end, our_points, ours
from paper_figures.drawing.figure_files import NOT_COMPARABLE, figure_files, replicas_sentence
from paper_figures.drawing.notes import curve_notes
from paper_figures.names import RECURRENT_METHODS
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import Run, can_be_compared, shown_runs

TITLE = "Penn Treebank: test bits per character against iterations times truncation length"
OUTPUT = "figures/fig_ptb_curves.pdf"
EXPERIMENT = "recurrent"

LENGTHS = panels.Family("truncation_length", style.TRUNCATION_LENGTHS, "T = {}")
SHOWN: Shown = {"dataset": ["ptb"], "model": ["lstm"], "truncation_length": LENGTHS.colours}
LONGEST = {"dni": 8, "dni_aux": 8}  # the paper's longest T of a method, if other methods have longer ones
METRIC = "bits_per_character"
LEAST = 0.2  # bits shown above the highest final value, at least, as a share of it


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    claims = read_claims()
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    comparable = can_be_compared(runs)
    points = [our_points(runs, ["method", "truncation_length"], metric=METRIC)]
    points += [] if not comparable else [_paper_points(claims[claims["artifact"] == Path(__file__).stem])]
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
        "Dashed: the paper's curves, read off its plot to 0.001 bits. Panels without them: none were read."
        if comparable
        else NOT_COMPARABLE,
        *_notes(points),
    ]
    draw = partial(_draw, limits=limits)
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, draw, length_stated=False)


def _notes(points: pd.DataFrame) -> list[str]:
    lines = []
    for method, name in RECURRENT_METHODS.items():
        lengths = [length for length in LENGTHS.colours if length <= LONGEST.get(method, length)]
        family = replace(LENGTHS, colours={length: LENGTHS.colours[length] for length in lengths})
        lines += curve_notes(points, family, "method", {method: name})
    return list(dict.fromkeys(lines))


def _paper_points(claims: pd.DataFrame) -> pd.DataFrame:
    lengths = [int(cell_of(claim)["truncation_length"]) for claim in claims.to_dict("records")]
    points = claims[["method", "obtained", "iteration", "value"]].astype({"iteration": int})
    return points.assign(truncation_length=lengths, source="paper", split="test", metric=METRIC)


def _entropy_rates(runs: list[Run]) -> list[float]:
    """Entropy rates of the stand-in texts in bits per character; older records do not contain them."""
    entries = [entry for run in runs for entry in run.record.data if entry.source == "stand-in"]
    rates = [entry.facts.get("entropy_rate") for entry in entries]
    return sorted({rate for rate in rates if rate is not None})


def _draw(points: pd.DataFrame, page: style.Page, limits: list[float]) -> Figure:
    legend = layout.frameworks_legend(points)
    if (points["source"] == "paper").any():
        legend.append(Line2D([], [], label="paper's plot", color=style.INK, **style.PAPER_LINE))
    if limits:
        words = " and ".join(f"{limit:.2f}" for limit in limits)
        dotted = Line2D(
            [], [], label=f"limit: the stand-in's entropy rate ({words} bits)", color=style.INK, **style.DOTTED
        )
        legend.append(dotted)
    methods = {method: name for method, name in RECURRENT_METHODS.items() if method in set(ours(points)["method"])}
    points = points[points["method"].isin(methods)]
    figure, grid = layout.grid(page, 1, len(methods), 2.5, legend=[[*legend, *LENGTHS.drawn(points).legend()]])
    _bits_axis(grid[0, 0], points, limits)
    inside = points[points["value"] < grid[0, 0].get_ylim()[1]]
    panels.iterations_axis(grid[0, 0], inside, log=page.log, x="time_steps")
    for axes, (method, name) in zip(grid.flat, methods.items(), strict=True):
        axes.set_title(name, loc="left", fontweight="bold", pad=4)
        for limit in limits:
            axes.axhline(limit, color=style.FAINT, **style.DOTTED)
        mine = points[points["method"] == method]
        panels.draw_curves(axes, mine, LENGTHS, x="time_steps")
        for length, curve in mine[mine["source"] == "paper"].groupby("truncation_length"):
            axes.plot(
                curve["time_steps"], curve["value"], color=LENGTHS.colours[length], zorder=1.9, **style.PAPER_LINE
            )
    layout.label_axes(grid, "training iterations × T", "test bits per character")
    return figure


def _bits_axis(axes: Axes, points: pd.DataFrame, limits: list[float]) -> None:
    """Sets a y axis from the lowest value or limit to a top that keeps differences of final values visible."""
    shown = points[points["iteration"] > 0].dropna(subset="value")
    ends = at_the_end(shown.drop(columns="time_steps"))["value"]
    values, ends = [*shown["value"], *limits], [*ends, *limits]
    low, worst = min(values), max(ends)
    high = min(max(values), worst + max(LEAST * worst, worst - low))
    margin = 0.05 * max(high - low, 0.05)
    axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
