"""What every figure file does around its drawing: the caption, the stamp, and the five files.

A figure file is a module of `artifacts` called `fig_*`, found by its name. It has `TITLE`, `OUTPUT`, a `make` that
chooses runs, gathers their points (`curves`) and ends in `figure_files`, and a `_draw` of them (`panels`, `style`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from paper_figures.drawing import captions, style
from paper_figures.drawing.curve_points import paper_iterations
from paper_figures.files import table_csv
from paper_figures.provenance.embedding import with_record
from paper_figures.provenance.stamps import Request
from paper_figures.runs import Run

NO_RUNS = "No runs found: the panels are empty."
ADDITION = "Not in the paper: an addition of this suite. "


def figure_files(
    module_file: str,
    title: str,
    results: Path,
    request: Request,
    runs: list[Run],
    points: pd.DataFrame,
    sentences: list[str],
    draw: Callable[[pd.DataFrame, style.Head], Figure],
    *,
    addition: bool = False,
    length_stated: bool = True,
) -> dict[str, bytes]:
    """The contents of a figure's .pdf, .svg, .png, .csv (the points) and .json (caption and stamp), by suffix.

    Args:
        module_file: `__file__` of the figure's module, whose name is the artifact's.
        request: how wide the figure is to be, and who stamps it.
        runs: those that the points are from, for the caption and the stamp.
        sentences: what the caption says besides data, settings and machines.
        draw: makes the figure from the points and its head.
        addition: the paper has no such figure; the head says so.
        length_stated: the paper says how long it trains these nets: as long as its feed-forward ones.
    """
    data = captions.data_line(runs) if runs or (points["source"] == "paper").any() else NO_RUNS
    settings = captions.settings_line(runs, paper_iterations() if length_stated else None)
    head = style.Head(data, (ADDITION if addition else "") + settings, request.columns)
    caption = [head.data, head.settings, *sentences, captions.machines_line(runs)]
    stamp = request.stamp(Path(module_file).stem, results, runs)
    with style.applied():
        images = style.save(draw(points, head), title, stamp)
    contents = {**images, ".csv": table_csv(points)}
    return with_record(contents, title, stamp, caption=" ".join(filter(None, caption)))


def replicas_sentence(runs: list[Run], shown: str) -> str:
    """What our lines or dots and their intervals are; `shown` names the value: "mean test error"."""
    counts = sorted({len(run.record.seeds) for run in runs})
    count = " to ".join(str(n) for n in dict.fromkeys([counts[0], counts[-1]])) if counts else "no"
    return (
        f"Ours: {shown} of the replicas ({count}), with the 95% t interval of the mean (of two replicas, "
        "thin lines or ticks at the two in its place; none for one); replicas that diverged are counted and left out "
        "of the mean."
    )
