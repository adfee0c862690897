"""What every drawn figure must keep to, and readers of what is written into it."""

import itertools

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from paper_figures.drawing import style


def assert_nothing_overlaps(figure):
    """No text of the figure overlaps another text or the edge."""
    figure.draw_without_rendering()
    # An axes' titles are among its children, the names of its axes are not.
    inside = [[*axes.get_children(), axes.xaxis.label, axes.yaxis.label] for axes in figure.axes]
    texts = [text for texts in inside for text in texts if isinstance(text, Text) and text.get_text()]
    texts = [text for text in [*texts, *figure.texts, *figure.legends] if text.get_visible()]
    boxes = [(text, text.get_window_extent()) for text in texts]
    for text, box in boxes:
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text
    for (one, box), (other, other_box) in itertools.combinations(boxes, 2):
        width = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
        height = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
        # A text's box is as high as its tallest letter could be, so up to half a line of it may be empty.
        assert width <= 0 or height <= 0.5 * min(box.height, other_box.height), (one, other)


def titles(figure):
    """The titles of the panels that have one."""
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


def legend(figure):
    """The names in the legends."""
    return [text.get_text() for legend in reversed(figure.legends) for text in legend.get_texts()]


def assert_words_are_in_the_caption(figure, stand_in):
    """Above the panels stands only whether the data are not the paper's, and in a figure without a run, that."""
    words = ["STAND-IN DATA"] if stand_in else [] if figure.axes else ["no run to draw yet"]
    assert [text.get_text() for text in figure.texts] == words
    assert not stand_in or figure.texts[0].get_color() == style.ALARM


def assert_legible(figure):
    """No text overlaps another text, a panel's title or the figure's edge, or is smaller than 6.5 points."""
    assert_nothing_overlaps(figure)
    assert all(text.get_window_extent().y1 < axes.bbox.y1 + 2 for axes in figure.axes for text in axes.texts)
    assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 6.5
    renderer = figure.canvas.get_renderer()
    for axes, axis in ((axes, axis) for axes in figure.axes for axis in ("xaxis", "yaxis")):
        assert not getattr(axes, axis).get_offset_text().get_text()
        labels = [label for label in getattr(axes, axis).get_ticklabels() if label.get_visible() and label.get_text()]
        boxes = [label.get_window_extent(renderer) for label in labels]
        side = ("x0", "x1") if axis == "xaxis" else ("y0", "y1")
        spans = sorted(tuple(getattr(box, name) for name in side) for box in boxes)
        assert all(one[1] < other[0] for one, other in itertools.pairwise(spans)), [x.get_text() for x in labels]


def lightness(colour):
    """L* of CIELAB: 0 is black and 100 is white."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 116 * np.cbrt(np.dot(linear, [0.2126, 0.7152, 0.0722])) - 16
