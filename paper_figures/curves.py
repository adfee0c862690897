"""The points of a figure of curves: ours with intervals, and the paper's, in one tidy frame each."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from paper_figures.claims import Measure
from paper_figures.runs import Run
from paper_figures.statistics import t_interval


def our_points(runs: list[Run], measure: Measure) -> pd.DataFrame:
    """Mean and 95% t interval over replicas at every evaluation; diverged replicas are counted, not averaged.

    Columns: method, layers, source (framework), obtained ("run"), iteration, value, low, high, n, n_diverged.
    """
    rows = []
    for run in runs:
        cell = run.record["cell"]
        named = [cell["method"], cell["depth"], run.record["framework"], "run"]
        for iteration, values in run.curve(measure.split, measure.metric).iterrows():
            finite = values[np.isfinite(values)].to_numpy()
            mean = finite.mean() if len(finite) else math.nan
            rows.append([*named, iteration, mean, *t_interval(finite), len(finite), len(values) - len(finite)])
    columns = ["method", "layers", "source", "obtained", "iteration", "value", "low", "high", "n", "n_diverged"]
    return pd.DataFrame(rows, columns=columns)


def paper_points(claims: pd.DataFrame) -> pd.DataFrame:
    """The published points: method, layers, source ("paper"), obtained, iteration, value."""
    points = claims[["method", "layers", "obtained", "iteration", "value"]].assign(source="paper")
    return points.sort_values(["method", "layers", "obtained", "iteration"])
