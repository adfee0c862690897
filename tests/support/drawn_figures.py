"""Figures as objects, without the time that it takes to write their files."""

import io
import json
from contextlib import contextmanager
from unittest import mock

import pandas as pd

from paper_figures import registry
from paper_figures.drawing import style
from paper_figures.provenance.stamps import Request


@contextmanager
def collected_figures():
    """Every figure that is drawn meanwhile goes into the list that this returns, and not into files."""
    figures = []
    with mock.patch.object(style, "save", lambda figure, *_: figures.append(figure) or {}):
        yield figures


def draw_figure(artifact, results, **request):
    """The figure, printed as `Request` has it, its points (the .csv) and its caption."""
    with collected_figures() as figures:
        written = registry.module(artifact).make(results, Request(**request))
    (figure,) = figures
    return figure, pd.read_csv(io.BytesIO(written[".csv"])), json.loads(written[".json"])["caption"]
