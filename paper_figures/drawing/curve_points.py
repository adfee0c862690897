"""The points of a figure of curves as tidy frames: our means with intervals, and the paper's points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from paper_figures.claims.estimates import mean_of
from paper_figures.claims.matching import read_claims
from paper_figures.runs import Run

NUMBERS = ["iteration", "value", "low", "high", "n", "n_diverged"]
FEW = 2  # replicas; the interval is then too wide to be useful
T_OF_TWO = mean_of([-1.0, 1.0]).interval()[1]  # length of two replicas' interval over their distance


def our_points(runs: list[Run], fields: Sequence[str], split: str = "test", metric: str = "error") -> pd.DataFrame:
    """Mean and 95% t interval over replicas at every evaluation. Diverged replicas are counted, but not averaged.

    Args:
        fields: fields of the cell that become columns.
        metric: may contain fields of the cell in braces, as in "h{cut_after}.l2_error".

    Columns: `fields`, source (framework), obtained ("run"), split, metric (as given), then `NUMBERS`.
    """
    columns = [*fields, "source", "obtained", "split", "metric", *NUMBERS]
    rows = []
    for run in runs:
        cell = run.cell
        labels = [*(cell[field] for field in fields), run.record.framework, "run", split, metric]
        curve = run.curve(split, metric.format(**cell))
        for iteration, values in zip(curve.index, curve.to_numpy(), strict=True):
            rows.append([*labels, iteration, *mean_and_interval(values)])
    return pd.DataFrame(rows, columns=columns)


def mean_and_interval(values: Sequence[float]) -> tuple[float, float, float, int, int]:
    """(mean, low, high, n, n_diverged), as in `NUMBERS`, of values that are one per replica."""
    found = mean_of(values)
    low, high = found.interval()
    return found.mean, low, high, found.n, found.n_diverged


def drawn_range(points: pd.DataFrame | pd.Series) -> tuple[Any, Any]:
    """(low, high) of the range drawn around a mean: the 95% interval, or for two replicas, their two values.

    Both are numbers for one point (a row), and columns for several points.

    The interval of two replicas is 13 times as long as the distance between them. It would fill panels without adding
    information.
    """
    share = np.where(points["n"] == FEW, 1 / T_OF_TWO, 1.0)
    value = points["value"]
    return value - share * (value - points["low"]), value + share * (points["high"] - value)


def at_the_end(points: pd.DataFrame) -> pd.DataFrame:
    """The last evaluation of every curve. Rows that agree in all columns but `NUMBERS` form a curve."""
    return points.sort_values("iteration").groupby(curve_columns(points), sort=False, dropna=False).tail(1)


def curve_columns(points: pd.DataFrame) -> list[str]:
    """The columns that identify a curve."""
    return [name for name in points.columns if name not in NUMBERS]


def paper_points(claims: pd.DataFrame) -> pd.DataFrame:
    """The published points: method, depth, source ("paper"), obtained, split, metric, iteration, value."""
    points = claims.rename(columns={"layers": "depth"})[["method", "depth", "obtained", "iteration", "value"]]
    points = points.astype({"depth": int, "iteration": int})
    points = points.assign(source="paper", split="test", metric="error")
    return points.sort_values(["method", "depth", "obtained", "iteration"])


def paper_iterations() -> int:
    """The iterations for which the paper trains its feed-forward nets: those of its table."""
    claims = read_claims()
    return int(claims["iteration"][claims["artifact"] == "table_feedforward"].max())
