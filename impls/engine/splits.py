"""A data set's splits as a cell uses them."""

from __future__ import annotations

from impls.data import Dataset
from impls.engine.spec import CellSpec, Examples
from impls.errors import UserError


def as_examples(dataset: Dataset) -> dict[str, Examples]:
    """The data set's splits as it has them."""
    return {name: (split.inputs, split.labels) for name, split in dataset.splits.items()}


def cell_splits(spec: CellSpec, dataset: Dataset) -> dict[str, Examples]:
    """The data set's splits as the cell uses them; raises `UserError` where it asks for more than there is."""
    try:
        return spec.splits(as_examples(dataset))
    except ValueError as error:
        raise UserError(str(error)) from None
