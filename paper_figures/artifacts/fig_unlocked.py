"""Several workers, one net (our addition): what decoupling gains in time, and what it costs in test error.

Above: steps per second against the delay of a link, by schedule; and test error against the delay in ticks, by method.
Below: test error against seconds, without and with a delay.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from impls.workers.schedules import LINKED, SCHEDULES
from impls.workers.times import WorkerTimes
from paper_figures.claims.timed_workers import NOT_MEASURED, is_timed_by, other_net
from paper_figures.drawing import layout, panels, style
from paper_figures.drawing.curve_points import NUMBERS, REPLICAS, at_the_end, numbers, our_points
from paper_figures.drawing.figure_files import figure_files, replicas_sentence
from paper_figures.drawing.notes import curve_notes
from paper_figures.provenance.stamps import USUAL, Request
from paper_figures.registry import Shown
from paper_figures.runs import Run, shown_runs

TITLE = "Two workers, one net (our addition): speed and test error with locked, delayed and synthetic gradients"
OUTPUT = "figures/fig_unlocked.pdf"
EXPERIMENT = "unlocked"

SYNTHETIC = "cdni"
SHOWN: Shown = {
    "dataset": ["mnist"],
    "model": ["fcn"],
    "depth": [6],
    "method": ["bprop", SYNTHETIC, "delayed"],
    "workers": [2],
}
NAMES = {
    "one_process": "one process",
    "locked": "locked",
    "gpipe": "GPipe",
    "1f1b": "1F1B",
    "data_parallel": "data parallel",
    "delayed": "delayed",
    "unlocked": "unlocked (cDNI)",
}
FAMILY = panels.Family("schedule", dict(zip(SCHEDULES, style.SEVEN_SHADES, strict=True)), names=NAMES)
LINKS = (0.0, 5.0)  # ms, of the panels against seconds
TITLES = {
    "speed": "Speed",
    "delay": "Price of a delay",
    **{f"{link:g} ms": f"Link of {link:g} ms" for link in LINKS},
}
PLACE = ["panel", "schedule", "method", "link_delay_ms", "link_delay", "ticks", "seconds"]


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of the .pdf, .svg, .png, .csv and .json files, by suffix."""
    runs = shown_runs(results, EXPERIMENT, SHOWN)
    parts = [speed_points(runs), delay_points(runs), *(seconds_points(runs, link) for link in LINKS)]
    points = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    late = points[points["panel"] == "delay"].sort_values("n_diverged", ascending=False, ignore_index=True)
    sentences = [
        "Two processes share a net of 6 layers, one thread each. Speed: training steps per second against the delay of "
        "their link, which is emulated: each message is held back. One process: backpropagation with all cores, and no "
        "link. GPipe, 1F1B: four micro-batches. Delayed: the true gradient, through the weights of its batch, when it "
        "arrives. Unlocked: synthetic gradients at once; only M learns late. Links: mean and 95% t interval of "
        f"{_starts(runs)} starts of the processes, or a thin line for each.",
        replicas_sentence(runs, "mean test error"),
        "Price of a delay: test error at the end, if a message is used 1 + L ticks after it was sent; a tick is the "
        "time of one batch. Below: means of test error against seconds. The errors are those of the same schedule in "
        "one process, which computes the same numbers; the seconds are iterations times the measured time of a batch, "
        "without evaluations. Schedules that share backpropagation share its errors, although batch norm in "
        "micro-batches and in shares of a batch is not quite the same.",
        *([] if runs and runs[0].times else [f"{NOT_MEASURED[0].upper()}{NOT_MEASURED[1:]}."]),
        *curve_notes(late, FAMILY.drawn(late)),
    ]
    return figure_files(
        __file__, TITLE, results, request, runs, points, sentences, _draw, addition=True, length_stated=False
    )


def speed_points(runs: list[Run]) -> pd.DataFrame:
    """Steps per second by schedule and link; mean and interval are over the starts of the workers."""
    rows = []
    if times := times_of(runs):
        links = sorted({one.link_delay_ms for one in times.times})
        for one in times.times:
            spread = numbers([1 / seconds for seconds in one.seconds_per_batch])
            # One process has no link: its speed is that at any delay.
            for link in [one.link_delay_ms] if one.schedule in LINKED else links:
                place = {"panel": "speed", "schedule": one.schedule, "method": one.method, "link_delay_ms": link}
                ours = {"source": "torch", "obtained": "run", "split": "time", "metric": "steps_per_second"}
                rows.append(place | ours | dict(zip(NUMBERS, (times.batches, *spread), strict=True)))
    return pd.DataFrame(rows, columns=[*PLACE, "source", "obtained", "split", "metric", *NUMBERS])


def delay_points(runs: list[Run]) -> pd.DataFrame:
    """The test error at the end of training, by method and delay in ticks."""
    ends = at_the_end(our_points(runs, ["method", "link_delay"]))
    schedules = {"bprop": "locked", "delayed": "delayed", SYNTHETIC: "unlocked"}
    ends = ends.assign(panel="delay", schedule=ends["method"].map(schedules), ticks=1 + ends["link_delay"])
    # Backpropagation waits, so its error is that at any delay.
    waits, late = ends[ends["method"] == "bprop"], ends[ends["method"] != "bprop"]
    longest = late["ticks"].max() if len(late) else 1
    return pd.concat([late, waits, waits.assign(ticks=longest)]).drop_duplicates()


def seconds_points(runs: list[Run], link: float) -> pd.DataFrame:
    """Test error against seconds, by schedule, on a link with this delay."""
    times = times_of(runs)
    found = []
    for schedule in SCHEDULES:
        own = times.of(schedule, link) if times else None
        chosen = [run for run in runs if own and is_timed_by(run, own)]
        curve = our_points(chosen, ["method", "link_delay"])
        if own is None or curve.empty:
            continue
        place = {"panel": f"{link:g} ms", "schedule": schedule, "link_delay_ms": link}
        found.append(curve.assign(**place, seconds=curve["iteration"] * own.mean))
    return pd.concat(found) if found else pd.DataFrame(columns=[*PLACE, *NUMBERS])


def times_of(runs: list[Run]) -> WorkerTimes | None:
    """The times of the workers, if they were measured for the net of these runs."""
    times = runs[0].times if runs else None
    fits = times and not any(other_net(run, times) for run in runs)
    return times if fits else None


def _starts(runs: list[Run]) -> str:
    times = times_of(runs)
    return str(len(times.times[0].seconds_per_batch)) if times else "no"


def _draw(points: pd.DataFrame, page: style.Page) -> Figure:
    family = FAMILY.drawn(points)
    legend = [layout.frameworks_legend(points), family.legend()]
    figure, grid = layout.grid(
        page, 2, 2, 1.9, legend=legend, sharex=False, sharey=False, between_rows=0.75, between_columns=0.55
    )
    for (panel, title), axes in zip(TITLES.items(), grid.flat, strict=True):
        axes.set_title(title, loc="left", fontweight="bold", pad=4)
        here = points[points["panel"] == panel]
        if here.empty:
            axes.text(
                0.5, 0.5, "not measured yet", ha="center", va="center", transform=axes.transAxes, color=style.FAINT
            )
            continue
        _panel(axes, panel, here, page)
    for axes, x_label, y_label in zip(
        grid.flat,
        ("link delay (ms)", "1 + L (ticks)", "seconds", "seconds"),
        ("steps per second", "final test error (%)", "test error (%)", ""),
        strict=True,
    ):
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
    return figure


def _panel(axes: Axes, panel: str, points: pd.DataFrame, page: style.Page) -> None:
    curves = points.drop(columns=[name for name in ("seconds", "ticks", "link_delay_ms") if name in points])
    if panel == "speed":
        panels.values_axis(axes, curves, log=page.log, headroom=float("inf"))
        panels.iterations_axis(axes, points, log=False, x="link_delay_ms")
        panels.draw_curves(axes, points, FAMILY, x="link_delay_ms")
    elif panel == "delay":
        panels.values_axis(axes, curves, log=page.log, headroom=1.15)
        panels.iterations_axis(axes, points, log=True, x="ticks")
        panels.draw_curves(axes, points.sort_values("ticks"), FAMILY, x="ticks")
    else:
        points = points.assign(**dict.fromkeys([*REPLICAS, "low", "high"], np.nan))  # too many lines already
        panels.values_axis(axes, curves, log=page.log, headroom=4)
        panels.iterations_axis(axes, panels.below_top(axes, points), log=page.log, x="seconds")
        panels.draw_curves(axes, points, FAMILY, x="seconds")
