"""The points of a figure of curves: ours with intervals, and the paper's, in one tidy frame each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from paper_figures.claims.matching import read_claims
from paper_figures.claims.statistics import summarise, t_interval
from paper_figures.runs import Run

NUMBERS = ["iteration", "value", "low", "high", "n", "n_diverged"]
FEW = 2  # replicas: too few for an interval that says anything
T_OF_TWO = t_interval([-1.0, 1.0])[1]  # how many times further the interval of two replicas reaches than they do


def our_points(runs: list[Run], fields: Sequence[str], split: str = "test", metric: str = "error") -> pd.DataFrame:
    """Mean and 95% t interval over replicas at every evaluation; diverged replicas are counted, not averaged.

    Args:
        fields: of the cell, kept as columns.
        metric: may name a field of the cell, as in "h{cut_after}.l2_error".

    Columns: `fields`, source (framework), obtained ("run"), split, metric (as given), then `NUMBERS`.
    """
    columns = [*fields, "source", "obtained", "split", "metric", *NUMBERS]
    rows = []
    for run in runs:
        cell = run.cell
        named = [*(cell[field] for field in fields), run.record.framework, "run", split, metric]
        curve = run.curve(split, metric.format(**cell))
        for iteration, values in zip(curve.index, curve.to_numpy(), strict=True):
            rows.append([*named, iteration, *mean_and_interval(values)])
    return pd.DataFrame(rows, columns=columns)


def mean_and_interval(values: Sequence[float]) -> tuple[float, float, float, int, int]:
    """(mean, low, high, n, n_diverged) of one value per replica, as in `NUMBERS`."""
    found = summarise(values)
    return found.mean, found.low, found.high, found.n, found.n_diverged


def drawn_range(points: pd.DataFrame | pd.Series) -> tuple[Any, Any]:
    """Ends of what is drawn around a mean: the 95% interval or, where there are two replicas, the two themselves.

    Numbers for one point (a row), columns of them for several.

    An interval of two is 13 times as long as the two are apart, and would fill panels without saying anything.
    """
    share = np.where(points["n"] == FEW, 1 / T_OF_TWO, 1.0)
    value = points["value"]
    return value - share * (value - points["low"]), value + share * (points["high"] - value)


def at_the_end(points: pd.DataFrame) -> pd.DataFrame:
    """The last evaluation of every curve: of the rows that agree in all columns but `NUMBERS`."""
    return points.sort_values("iteration").groupby(curve_columns(points), sort=False, dropna=False).tail(1)


def curve_columns(points: pd.DataFrame) -> list[str]:
    """The columns that tell curves apart."""
    return [name for name in points.columns if name not in NUMBERS]


def paper_points(claims: pd.DataFrame) -> pd.DataFrame:
    """The published points: method, depth, source ("paper"), obtained, split, metric, iteration, value."""
    points = claims.rename(columns={"layers": "depth"})[["method", "depth", "obtained", "iteration", "value"]]
    points = points.astype({"depth": int, "iteration": int})
    points = points.assign(source="paper", split="test", metric="error")
    return points.sort_values(["method", "depth", "obtained", "iteration"])


def paper_iterations() -> int:
    """How long the paper trains its feed-forward nets: where its table of them stands."""
    claims = read_claims()
    return int(claims["iteration"][claims["artifact"] == "table_feedforward"].max())
