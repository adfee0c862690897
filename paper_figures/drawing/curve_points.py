"""The points of a figure of curves as tidy frames: our means with intervals, and the paper's points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from paper_figures.claims.estimates import mean_of
from paper_figures.claims.matching import read_claims
from paper_figures.runs import Run

FEW = 3  # replicas; their interval is so wide that their values say more
REPLICAS = [f"replica_{number}" for number in range(1, FEW + 1)]  # the values, in the order of the seeds
NUMBERS = ["iteration", "value", "low", "high", "n", "n_diverged", *REPLICAS]


def our_points(runs: list[Run], fields: Sequence[str], split: str = "test", metric: str = "error") -> pd.DataFrame:
    """Mean and 95% t interval over replicas at every evaluation, and the values of three replicas or fewer.

    Diverged replicas are counted, but not averaged.

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
            rows.append([*labels, iteration, *numbers(values)])
    return pd.DataFrame(rows, columns=columns)


def numbers(values: Sequence[float]) -> tuple[float, ...]:
    """`NUMBERS` after the iteration, of values that are one per replica: mean, low, high, n, n_diverged, replicas.

    The replicas are NaN if there are more than `FEW`.
    """
    found = mean_of(values)
    few = list(values) if len(values) <= FEW else []
    return (found.mean, *found.interval(), found.n, found.n_diverged, *few, *[np.nan] * (FEW - len(few)))


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


def ours(points: pd.DataFrame) -> pd.DataFrame:
    """The points of our runs after the start of training, where there are no results yet."""
    return points[(points["obtained"] == "run") & (points["iteration"] > 0)]


def paper_iterations() -> int:
    """The iterations for which the paper trains its feed-forward nets: those of its table."""
    claims = read_claims()
    return int(claims["iteration"][claims["artifact"] == "table_feedforward"].max())
