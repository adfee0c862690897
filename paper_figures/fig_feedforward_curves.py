"""Test error of feed-forward nets during training, ours (both frameworks) over the paper's plots ("Every layer DNI").

One panel per method, one colour per depth. The paper's curves were read off its plots; diamonds are its table.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from paper_figures import captions, style
from paper_figures.claims import EXPERIMENTS, FRAMEWORKS, MEASURES, read_claims
from paper_figures.curves import our_points, paper_points
from paper_figures.files import table_csv
from paper_figures.provenance import short, stamp
from paper_figures.runs import Run, read_runs

TITLE = "feed-forward nets with a DNI between every two layers: test error against iterations"
OUTPUT = "figures/fig_feedforward_curves.pdf"

ARTIFACT = Path(__file__).stem
ERROR_TICKS = [1, 2, 5, 10, 20, 50, 100]


def make(results: Path) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    claims = read_claims()
    claims = claims[claims["artifact"].isin([ARTIFACT, "table_feedforward"])]
    runs = read_runs(results, EXPERIMENTS[ARTIFACT])
    points = pd.concat([our_points(runs, MEASURES["test_error"]), paper_points(claims)], ignore_index=True)
    mark = stamp(ARTIFACT, results, runs)
    caption = _caption(runs, points)
    with style.applied():
        images = style.save(_draw(points, caption[:2]), TITLE, short(mark))
    record = json.dumps({"title": TITLE, "caption": " ".join(filter(None, caption)), "stamp": mark}, indent=1)
    return {**images, ".csv": table_csv(points), ".json": (record + "\n").encode()}


def _caption(runs: list[Run], points: pd.DataFrame) -> list[str]:
    """Sentences for the figure's head (the first two) and for a printed caption (all)."""
    replicas = sorted({len(run.record["seeds"]) for run in runs})
    count = " to ".join(str(n) for n in dict.fromkeys([replicas[0], replicas[-1]])) if replicas else "no"
    return [
        captions.data_line(runs),
        captions.settings_line(runs, int(points["iteration"][points["source"] == "paper"].max())),
        f"Lines: mean test error of the replicas ({count}); bands: 95% t interval of the mean (none for one replica).",
        "Dashed: the paper's curves, read off its plots to 0.1 percentage points; diamonds: its table.",
        captions.DEPTH_CHOSEN_ON_TEST,
        captions.machines_line(runs),
    ]


def _draw(points: pd.DataFrame, head: list[str]) -> Figure:
    figure = style.new_figure(style.TWO_COLUMNS, 5.7)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    figure.subplots_adjust(left=0.07, right=0.965, bottom=0.12, wspace=0.1, hspace=0.16)
    style.write_head(figure, *head)
    shown = points[points["iteration"] > 0]  # iteration 0 has no place on a log scale
    first = panels[0, 0]
    first.set(xscale="log", yscale="log")
    first.set_xlim(shown["iteration"].min() * 0.9, shown["iteration"].max() * 1.15)
    # What a net starts from is of no interest: the top is the worst end of any curve.
    ends = shown.dropna(subset="value").groupby(["method", "layers", "source", "obtained"])["value"].last()
    first.set_ylim(shown["value"].min() * 0.8, ends.max() * 1.4)
    first.yaxis.set_major_locator(FixedLocator(ERROR_TICKS))
    first.yaxis.set_minor_formatter(NullFormatter())
    for axis in (first.xaxis, first.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    for axes, (method, name) in zip(panels.flat, captions.METHODS.items(), strict=True):
        axes.set_title(name, loc="left", fontweight="bold", pad=4)
        _panel(axes, shown[shown["method"] == method])
    figure.supxlabel("training iterations", y=0.052, fontsize=style.NORMAL)
    figure.supylabel("test error (%)", x=0.008, fontsize=style.NORMAL)
    figure.legend(handles=_legend(), loc="lower center", ncols=8, frameon=False, handlelength=2.6, columnspacing=1.4)
    return figure


def _panel(axes: Axes, points: pd.DataFrame) -> None:
    axes.grid(axis="y", color=style.GRID, linewidth=0.5)
    ends, diverged, missing = [], [], {}
    for framework, name in FRAMEWORKS.items():
        for depth, colour in style.DEPTHS.items():
            curve = points[(points["layers"] == depth) & (points["source"] == framework)]
            if curve.empty:
                missing.setdefault(name, []).append(depth)
                continue
            axes.plot(curve["iteration"], curve["value"], color=colour, **style.FRAMEWORK_LINES[framework])
            low = curve["low"].clip(lower=axes.get_ylim()[0])
            axes.fill_between(curve["iteration"], low, curve["high"], color=colour, alpha=0.15, linewidth=0)
            if curve["n_diverged"].any():
                count = _mark_divergence(axes, curve, colour)
                diverged.append(f"{name}, {depth} layers ({count})")
    for depth, colour in style.DEPTHS.items():
        rows = points[points["layers"] == depth]
        printed, digitised, ours = (rows[rows["obtained"] == kind] for kind in ("table", "digitised", "run"))
        axes.plot(digitised["iteration"], digitised["value"], color=colour, **style.PAPER_LINE)
        axes.plot(printed["iteration"], printed["value"], color=colour, **style.PAPER_MARK)
        ends += [(x, y, str(depth), colour) for x, y in zip(printed["iteration"], printed["value"], strict=True)]
        ours = ours.dropna(subset="value")
        last = ours[ours["iteration"] == ours["iteration"].max()]
        # Where our curves go nearly as far as the paper's, one label serves both.
        if len(last) and last["iteration"].max() < 0.5 * points["iteration"].max():
            ends.append((last["iteration"].max(), last["value"].mean(), str(depth), colour))
    style.label_ends(axes, ends)
    lines = [f"× diverged: {'; '.join(diverged)}"] if diverged else []
    lines += [f"missing: {_missing(missing)}"] if missing else []
    text = "\n".join(lines)
    axes.text(0.015, 0.015, text, transform=axes.transAxes, fontsize=style.SMALL, color=style.FAINT, linespacing=1.3)


def _missing(depths_by_framework: dict[str, list[int]]) -> str:
    texts = {
        name: f"{', '.join(map(str, depths))} layers" if len(depths) < len(style.DEPTHS) else "all"
        for name, depths in depths_by_framework.items()
    }
    if len(texts) == len(FRAMEWORKS) and len(set(texts.values())) == 1:
        return texts.popitem()[1]
    return "; ".join(f"{name} {text}" for name, text in texts.items())


def _mark_divergence(axes: Axes, curve: pd.DataFrame, colour: str) -> str:
    """Crosses the last point before the first replica diverged; returns how many did, as "1 of 3"."""
    whole = curve[curve["n_diverged"] == 0]
    if len(whole):
        axes.plot(whole["iteration"].iloc[-1], whole["value"].iloc[-1], color=colour, **style.DIVERGED_MARK)
    last = curve.iloc[-1]
    return f"{last['n_diverged']:.0f} of {last['n'] + last['n_diverged']:.0f}"


def _legend() -> list[Line2D]:
    ink = {"color": style.INK}
    ours = [Line2D([], [], label=name, **ink, **style.FRAMEWORK_LINES[key]) for key, name in FRAMEWORKS.items()]
    return [
        *ours,
        Line2D([], [], label="paper's plot", **ink, **style.PAPER_LINE),
        Line2D([], [], label="paper's table", **ink, **style.PAPER_MARK),
        *(Line2D([], [], label=f"{n} layers", color=colour, linewidth=2) for n, colour in style.DEPTHS.items()),
    ]
