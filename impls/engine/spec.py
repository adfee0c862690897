"""The base of every experiment's spec: a closed, frozen model whose fields are marked with the source of each value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from impls.engine.curves import Curves, Event
from impls.engine.state import Leaves
from impls.fields import ClosedModel, Iterations

MOST_EVALUATIONS = 100_000
Examples = tuple[np.ndarray, np.ndarray]  # inputs [n, ...], labels [n]


class CellSpec(ClosedModel):
    """What one cell computes. Subclasses add fields, draw all random numbers, and count the operations of a step.

    A subclass sets `cell_fields` and implements `ladder`, `weight_shapes`, `initial_parameters`, `step_inputs` and
    `operations_per_step`.
    A variant of another experiment names that experiment in `twins` and needs no implementation.
    """

    cell_fields: ClassVar[tuple[str, ...]] = ()
    twins: ClassVar[str | None] = (
        None  # the experiment whose torch_impl.py and jax_impl.py run this one; None: this one
    )
    headline: ClassVar[tuple[str, str, str]] = ("test", "error", "%")  # split, metric and unit of the progress line

    if TYPE_CHECKING:
        dataset: str  # every subclass defines this field, with its allowed names

    iterations: Iterations = Field(500_000, description="training iterations (parameter updates)")
    evaluate_every: Iterations = Field(
        5_000, description="iterations between evaluations; iteration 0 and the last are also evaluated"
    )

    @model_validator(mode="after")
    def _a_bounded_number_of_evaluations(self) -> Self:
        if self.iterations > MOST_EVALUATIONS * self.evaluate_every:
            raise ValueError(f"evaluate_every must be larger: there would be more than {MOST_EVALUATIONS} evaluations")
        return self

    @classmethod
    def ladder(cls) -> Sequence[CellSpec]:
        """Tiny cells that together cover every method and choice; the parity ladder runs each of them."""
        raise NotImplementedError

    @classmethod
    def completed(cls, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """The spec of a run's record, with the fields that were added after the run, at the value that it used."""
        extras = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        older = {name: extra["older"] for name, extra in extras.items() if isinstance(extra, dict) and "older" in extra}
        return older | dict(recorded)

    def cell(self) -> dict[str, Any]:
        """The fields that name this cell, in the order of its path."""
        return {name: getattr(self, name) for name in self.cell_fields}

    def path(self) -> str:
        """The cell's folder, `dataset~mnist/model~fcn/...`, in the form of Snakemake's Paramspace."""
        return "/".join(f"{name}~{value}" for name, value in self.cell().items())

    def default(self, name: str) -> Any:
        """The value of a field that is not given. A subclass overrides it if this depends on other fields."""
        return type(self).model_fields[name].default

    def resolved(self, name: str) -> Any:
        """A field's value, or its default if it is not given."""
        value = getattr(self, name)
        return self.default(name) if value is None else value

    def changed(self, mark: str) -> list[str]:
        """Fields of one mark ("paper" or "choice") that are not at their default, as readable text.

        Fields that name the cell do not count as changes, because the experiment varies them.
        """
        found = []
        for name, field in type(self).model_fields.items():
            if name in self.cell_fields:
                continue
            value, default = getattr(self, name), self.default(name)
            extra = field.json_schema_extra
            if isinstance(extra, dict) and extra.get("mark") == mark and value not in (field.default, default):
                found.append(f"{name} = {value} ({'paper' if mark == 'paper' else 'default'}: {default})")
        return found

    def evaluation_iterations(self) -> list[int]:
        """Sorted iterations at which the curves have a point, counted in updates."""
        return sorted({*range(0, self.iterations, self.evaluate_every), self.iterations})

    def evaluation_examples(self) -> dict[str, int | None]:
        """The splits to evaluate, and how many of their first examples (None: all)."""
        return {"test": None}

    def splits(self, splits: Mapping[str, Examples]) -> dict[str, Examples]:
        """The data set's splits, (inputs, labels) each, as this cell uses them; "train" is what it trains on."""
        return dict(splits)

    @property
    def evaluation_batch(self) -> int:
        """The number of examples evaluated at once; it decides the memory of their activations."""
        return 1000

    @property
    def measures_batch(self) -> bool:
        """Whether the twins' `measure` is called, on the next training batch, at every evaluation."""
        return False

    def stops_early(self, curves: Curves) -> bool:
        """Whether the run ends before its last iteration; called after every evaluation."""
        return False

    def events(self, leaves: Leaves) -> list[Event]:
        """Events of single replicas, read from the state `leaves`; they are added to the curves."""
        return []

    def facts(self, splits: Mapping[str, Examples]) -> dict[str, float]:
        """Numbers for readers of the results, derived from the spec and the data set's splits."""
        return {}

    def replica_settings(self, seeds: list[int]) -> dict[str, list[float]]:
        """Settings that differ between replicas, apart from the seed: by name, one value per replica."""
        return {}

    @property
    def weight_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of all weights of a replica, outputs last, for an estimate of its memory."""
        raise NotImplementedError

    def initial_parameters(self, seed: int) -> dict[str, np.ndarray]:
        """Parameters of one replica before training, float64, by name."""
        raise NotImplementedError

    def step_inputs(self, seeds: list[int], examples: int, first: int, last: int) -> dict[str, np.ndarray]:
        """The inputs of iterations first..last-1, each array [last - first, ...], all drawn from the seeds.

        Args:
            seeds: one per replica.
            examples: size of the training set.
        """
        raise NotImplementedError

    def operations_per_step(self) -> float:
        """Floating-point operations that a step of one replica needs; a multiply-add counts as two."""
        raise NotImplementedError
