"""The splits of a data set, as used by a cell."""

from __future__ import annotations

from impls.data import Dataset
from impls.engine.spec import CellSpec, Examples
from impls.errors import UserError


def as_examples(dataset: Dataset) -> dict[str, Examples]:
    """The data set's splits, unchanged."""
    return {name: (split.inputs, split.labels) for name, split in dataset.splits.items()}


def cell_splits(spec: CellSpec, dataset: Dataset) -> dict[str, Examples]:
    """The data set's splits as used by the cell; raises `UserError` if the cell needs more examples than there are."""
    try:
        return spec.splits(as_examples(dataset))
    except ValueError as error:
        raise UserError(str(error)) from None
