"""The figure of `python -m benchmarks scale`: a panel for each size that grows."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.roofline.processes import seconds_of

if TYPE_CHECKING:
    from benchmarks.roofline.scale import Point

COLUMNS = 3
ROW_HEIGHT = 1.6  # inches


def drawn(curves: Mapping[str, Mapping[str, list[Point]]], names: Mapping[str, str]) -> bytes:
    """The figure as .svg: milliseconds of a step against each size, both logarithmic.

    Args:
        curves: by axis and framework, the points in order.
        names: the labels of the axes.
    """
    from matplotlib.lines import Line2D

    from paper_figures.drawing import layout, style
    from paper_figures.names import FRAMEWORKS

    looks = style.FRAMEWORK_LINES
    limit: dict[str, Any] = {"color": style.FAINT, "linewidth": 0.6, "linestyle": (0, (3, 2))}
    legend = [Line2D([], [], label=FRAMEWORKS[name], color=style.INK, **look) for name, look in looks.items()]
    legend.append(Line2D([], [], label="limit of the machine", **limit))
    with style.applied():
        rows = -(-len(curves) // COLUMNS)
        figure, panels = layout.grid(
            style.Page(log=True), rows, COLUMNS, ROW_HEIGHT, legend=[legend], sharex=False, between_rows=0.55
        )
        for axes, (axis, by_framework) in zip(panels.flat, curves.items(), strict=False):
            for framework, points in by_framework.items():
                sizes = [point.size for point in points]
                times = [1e3 * seconds_of(point.row) for point in points]
                axes.plot(sizes, times, color=style.INK, marker="o", markersize=2, **looks[framework])
                axes.plot(sizes, [1e3 * point.limit for point in points], **limit)
            axes.set(xscale="log", yscale="log", xlabel=names[axis])
            sizes = sorted({point.size for points in by_framework.values() for point in points})
            axes.set_xticks(sizes, [str(size) for size in sizes], fontsize=5.5)
            axes.yaxis.set_major_formatter("{x:g}")
            axes.minorticks_off()
        for axes in panels.flat[len(curves) :]:
            axes.set_axis_off()
        for axes in panels[:, 0]:
            axes.set_ylabel("ms per step")
        image = io.BytesIO()
        figure.savefig(image, format="svg", metadata={"Date": None, "Title": "What a step costs as it grows"})
    return image.getvalue()
