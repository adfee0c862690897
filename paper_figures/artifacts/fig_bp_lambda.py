"""BP(lambda), which mixes synthetic and backpropagated gradients, for several lambda (our addition).

Top: test error at the end of training against lambda. Bottom: test error during training. Columns: dni, cdni.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figures.drawing import layout, panels, style
from paper_figures.drawing.curve_points import at_the_end, our_points
from paper_figures.drawing.figure_files import figure_files, replicas_sentence
from paper_figures.drawing.notes import curve_notes
from paper_figures.names import FEEDFORWARD_METHODS, FRAMEWORKS
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import shown_runs

TITLE = "BP(lambda) in 4-layer nets (our addition): test error against the weight of the backpropagated gradient"
OUTPUT = "figures/fig_bp_lambda.pdf"
EXPERIMENT = "bp_lambda"

METHODS = {method: FEEDFORWARD_METHODS[method] for method in ("dni", "cdni")}
SHOWN: Shown = {"dataset": ["mnist"], "model": ["fcn"], "depth": [4], "method": METHODS}
LAMBDAS = panels.Family(
    "bp_lambda",
    dict(zip((0, 0.25, 0.5, 0.75, 1), style.FIVE_SHADES, strict=True)),
    "λ\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{}",
    names={0: "0", 1: "1"},  # also for 0.0 and 1.0, which equal these keys
)


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    points = our_points(runs, ["method", "bp_lambda"])
    sentences = [
        replicas_sentence(runs, "mean test error"),
        "BP(λ): a layer learns from λ times the gradient that is backpropagated to it plus (1 - λ) times its synthetic "
        "gradient. λ = 1 is backpropagation and λ = 0 is DNI (or cDNI).",
        "The paper describes BP(λ) but publishes no numbers for it. The sweep is an addition of this suite.",
        *curve_notes(points, LAMBDAS, "method", METHODS),
    ]
    return figure_files(__file__, TITLE, results, request, runs, points, sentences, _draw, addition=True)


def _draw(points: pd.DataFrame, page: style.Page) -> Figure:
    methods = {method: name for method, name in METHODS.items() if method in set(points["method"])}
    legend = [*layout.frameworks_legend(points), *LAMBDAS.drawn(points).legend()]
    figure, grid = layout.grid(
        page, 2, len(methods), 1.9, legend=[legend], sharex="row", sharey="row", between_rows=0.6
    )
    ends = at_the_end(points)
    _, *between, _ = map(LAMBDAS.name, LAMBDAS.colours)
    if page.columns == 1:
        between[::2] = "", ""  # no room for 0.25 and 0.75
    grid[0, 0].set_xticks(list(LAMBDAS.colours), ["0\nsynthetic", *between, "1\nbackprop"])
    grid[0, 0].set_xlim(-0.1, 1.1)
    panels.values_axis(grid[0, 0], ends, log=page.log, headroom=1.15)
    panels.values_axis(grid[1, 0], points, log=page.log, headroom=2)
    panels.iterations_axis(grid[1, 0], panels.below_top(grid[1, 0], points), log=page.log)
    for (method, name), (above, below) in zip(methods.items(), grid.T, strict=True):
        above.set_title(name, loc="left", fontweight="bold", pad=4)
        _final_errors(above, ends[ends["method"] == method])
        panels.draw_curves(below, points[points["method"] == method], LAMBDAS)
    layout.label_axes(grid[:1], "λ", "final test error (%)")
    layout.label_axes(grid[1:], "training iterations", "test error (%)")
    return figure


def _final_errors(axes: Axes, ends: pd.DataFrame) -> None:
    axes.grid(axis="y", color=style.GRID, linewidth=0.5)
    for framework in FRAMEWORKS:
        for value, colour in LAMBDAS.colours.items():
            for _, row in ends[(ends["source"] == framework) & (ends["bp_lambda"] == value)].iterrows():
                panels.draw_dot(axes, value, row, color=colour, **style.FRAMEWORK_DOTS[framework])
