"""Makes the five files of a figure, with caption and stamp.

Each figure is a module `fig_*` of `artifacts`, found by its file name. It has `TITLE`, `OUTPUT` and a function `make`,
which reads the runs of `EXPERIMENT` whose cells have the values in `SHOWN`, collects their points (`curve_points`) and
calls `figure_files`. Its function `_draw` draws the points (`panels`, `style`). What a reader must know stands in the
caption and not in the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from paper_figures.drawing import captions, layout, style
from paper_figures.drawing.curve_points import FEW, ours, paper_iterations
from paper_figures.files import table_csv
from paper_figures.provenance.embedding import with_record
from paper_figures.provenance.stamps import Request
from paper_figures.runs import Run

NO_RUNS = "No runs found."
NOT_COMPARABLE = "The paper's numbers are not shown: no run here has its data and its settings."
ADDITION = "Not in the paper: an addition of this suite. "


def figure_files(
    module_file: str,
    title: str,
    results: Path,
    request: Request,
    runs: list[Run],
    points: pd.DataFrame,
    sentences: list[str],
    draw: Callable[[pd.DataFrame, style.Page], Figure],
    *,
    addition: bool = False,
    length_stated: bool = True,
) -> dict[str, bytes]:
    """The contents of a figure's .pdf, .svg, .png, .csv (the points) and .json (caption and stamp), by suffix.

    Args:
        module_file: `__file__` of the figure's module; the name of the module is the name of the artifact.
        request: how the figure is printed, and the function that makes its stamp.
        runs: the runs of the points, for the caption and the stamp.
        sentences: the caption without the sentences about data, settings and machines.
        draw: makes the figure from the points, if there are any of ours, for a page.
        addition: whether the paper lacks such a figure; the caption then says so. The axes of the others are linear, as
            in the paper, unless the request says otherwise.
        length_stated: whether the paper states the training length of these nets: that of its feed-forward nets.
    """
    settings = captions.settings_line(runs, paper_iterations() if length_stated else None)
    settings = (ADDITION if addition else "") + settings
    caption = [captions.data_line(runs) if runs else NO_RUNS, settings, *sentences, captions.machines_line(runs)]
    stamp = request.stamp(Path(module_file).stem, results, runs)
    log = request.axes == "log" if request.axes else addition
    page = style.Page(request.columns, log, any(run.stand_in for run in runs))
    with style.applied(request.font):
        figure = draw(points, page) if len(ours(points)) else layout.no_run(page)
        images = style.save(figure, title, stamp)
    contents = {**images, ".csv": table_csv(points)}
    return with_record(contents, title, stamp, caption=" ".join(filter(None, caption)))


def replicas_sentence(runs: list[Run], shown: str) -> str:
    """Explains our lines or dots and their intervals; `shown` names the value, such as "mean test error"."""
    counts = sorted({len(run.record.seeds) for run in runs})
    count = " to ".join(str(n) for n in dict.fromkeys([counts[0], counts[-1]])) if counts else "no"
    return (
        f"Ours: {shown} of the replicas ({count}), with the 95% t interval of the mean. For up to {FEW} replicas, a "
        "thin line or tick for each replaces the interval. Diverged replicas are counted and left out of the mean."
    )
