"""The curves of a run: one row per replica, iteration, split and metric."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from impls.engine.files import write_atomically
from impls.engine.state import Leaves

CURVE_VALUES = "curves"  # the name of the values in a checkpoint
COLUMNS = pa.schema(
    {
        "replica": pa.int32(),
        "seed": pa.int64(),
        "iteration": pa.int64(),
        "split": pa.string(),
        "metric": pa.string(),
        "value": pa.float64(),
    }
)


class Event(NamedTuple):
    """A value of one replica, at an iteration that may differ between replicas."""

    replica: int
    iteration: int
    split: str
    metric: str
    value: float


class Curves:
    """Collects evaluations, each [R], and events, and turns them into the table of `curves.parquet`.

    If a value is not finite, its replica has diverged, and all its values at that evaluation become NaN. Otherwise an
    error rate counted on NaN outputs would look like a valid number.
    """

    def __init__(self, seeds: list[int]) -> None:
        self.seeds = seeds
        self.points: list[tuple[int, str, str, np.ndarray]] = []  # iteration, split, metric, value [R]
        self.events: list[Event] = []  # read from the state; not stored in a checkpoint

    def add(self, iteration: int, split: str, metrics: dict[str, np.ndarray]) -> None:
        """Append one evaluation of all replicas."""
        diverged_R = ~np.isfinite(np.stack(list(metrics.values()))).all(0)
        for metric, value_R in metrics.items():
            self.points.append((iteration, split, metric, np.where(diverged_R, np.nan, value_R)))

    def values(self, split: str, metric: str) -> np.ndarray:
        """Every evaluation of one metric: float64 [evaluations, R]."""
        found = [value_R for _, *name, value_R in self.points if name == [split, metric]]
        return np.stack(found) if found else np.zeros((0, len(self.seeds)))

    def last(self, split: str, metric: str) -> float | None:
        """Mean over replicas at the latest evaluation, or None before the first."""
        values_KR = self.values(split, metric)
        return float(values_KR[-1].mean()) if len(values_KR) else None

    def diverged_seeds(self) -> list[int]:
        """Seeds with a value that is not finite, at any evaluation."""
        if not self.points:
            return []
        diverged_R = np.isnan(np.stack([value_R for *_, value_R in self.points])).any(0)
        return [seed for seed, diverged in zip(self.seeds, diverged_R, strict=True) if diverged]

    def leaves(self) -> tuple[Leaves, list[list]]:
        """The content for a checkpoint: the values [points, R], and (iteration, split, metric) of each point."""
        values = np.stack([value_R for *_, value_R in self.points]) if self.points else np.zeros((0, len(self.seeds)))
        return {CURVE_VALUES: values}, [list(point[:3]) for point in self.points]

    def load(self, leaves: Leaves, labels: list[list]) -> None:
        """Restore the content that `leaves` returned."""
        self.points = [(*label, value_R) for label, value_R in zip(labels, leaves[CURVE_VALUES], strict=True)]

    def table(self) -> pa.Table:
        """Columns replica, seed, iteration, split, metric, value."""
        rows = [
            (replica, self.seeds[replica], iteration, split, metric, value)
            for iteration, split, metric, value_R in self.points
            for replica, value in enumerate(value_R)
        ]
        rows += [(event.replica, self.seeds[event.replica], *event[1:]) for event in self.events]
        return pa.Table.from_pylist([dict(zip(COLUMNS.names, row, strict=True)) for row in rows], COLUMNS)

    def write(self, path: Path) -> str:
        """Write `curves.parquet` atomically; returns its SHA-256."""
        buffer = io.BytesIO()
        pq.write_table(self.table(), buffer)
        return write_atomically(path, buffer.getvalue())
