"""The base of every experiment's spec: a closed, frozen model whose fields say where their values come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field, PositiveInt

from impls.engine.curves import Curves, Event
from impls.engine.state import Leaves
from impls.fields import ClosedModel

Examples = tuple[np.ndarray, np.ndarray]  # inputs [n, ...], labels [n]


class CellSpec(ClosedModel):
    """What one cell computes. Subclasses add fields, draw all randomness, and count the work of a step.

    A subclass sets `cell_fields` and implements `ladder`, `initial_parameters`, `step_inputs`, `operations_per_step`.
    An experiment that only sets other fields of another's spec names that one in `twins` and needs no twins of its own.
    """

    cell_fields: ClassVar[tuple[str, ...]] = ()
    twins: ClassVar[str | None] = None  # the experiment whose torch_impl.py and jax_impl.py run this one; None: its own
    headline: ClassVar[tuple[str, str, str]] = ("test", "error", "%")  # split, metric and unit of the progress line

    if TYPE_CHECKING:
        dataset: str  # every subclass has this field, with the names that it knows

    iterations: PositiveInt = Field(500_000, description="training iterations (parameter updates)")
    evaluate_every: PositiveInt = Field(
        5_000, description="iterations between evaluations; 0 and the last are evaluated too"
    )

    @classmethod
    def ladder(cls) -> Sequence[CellSpec]:
        """Tiny cells that between them show every method and choice; the parity ladder runs each of them."""
        raise NotImplementedError

    def cell(self) -> dict[str, Any]:
        """The fields that name this cell among its experiment's, in the order of its path."""
        return {name: getattr(self, name) for name in self.cell_fields}

    def path(self) -> str:
        """The cell's folder, `dataset~mnist/model~fcn/...`, as Snakemake's Paramspace spells it."""
        return "/".join(f"{name}~{value}" for name, value in self.cell().items())

    def default(self, name: str) -> Any:
        """What a field stands for when it is not given; a subclass says so where that depends on another field."""
        return type(self).model_fields[name].default

    def resolved(self, name: str) -> Any:
        """A field's value, or what it stands for when it is not given."""
        value = getattr(self, name)
        return self.default(name) if value is None else value

    def changed(self, mark: str) -> list[str]:
        """Fields of one mark ("paper" or "choice") that are not at their default, as readable text.

        A field that names the cell is no change: it is what the experiment is about.
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
        """Sorted iterations at which the curves have a point; the state there has had that many updates."""
        return sorted({*range(0, self.iterations, self.evaluate_every), self.iterations})

    def evaluation_examples(self) -> dict[str, int | None]:
        """Splits to evaluate, and how many of their first examples: None for all."""
        return {"test": None}

    def splits(self, splits: Mapping[str, Examples]) -> dict[str, Examples]:
        """The data set's splits, (inputs, labels) each, as this cell uses them; "train" is what it trains on."""
        return dict(splits)

    @property
    def evaluation_batch(self) -> int:
        """Examples that are evaluated at once: what of their activations memory has to hold."""
        return 1000

    @property
    def measures_batch(self) -> bool:
        """Whether the twins' `measure` is called, on the next training batch, at every evaluation."""
        return False

    def stops_early(self, curves: Curves) -> bool:
        """Whether the run is done before its last iteration; asked after every evaluation."""
        return False

    def events(self, leaves: Leaves) -> list[Event]:
        """What replicas reached at iterations of their own, as the state `leaves` tells it; they join the curves."""
        return []

    def facts(self, splits: Mapping[str, Examples]) -> dict[str, float]:
        """Numbers that follow from the spec and the data set's splits, and that readers of the results need."""
        return {}

    def replica_settings(self, seeds: list[int]) -> dict[str, list[float]]:
        """What replicas differ in beside their seed: by name, one value per replica."""
        return {}

    def initial_parameters(self, seed: int) -> dict[str, np.ndarray]:
        """Parameters of one replica before training, float64, by name."""
        raise NotImplementedError

    def step_inputs(self, seeds: list[int], examples: int, first: int, last: int) -> dict[str, np.ndarray]:
        """What iterations first..last-1 consume, each array [last - first, ...], all drawn from the seeds.

        Args:
            seeds: one per replica.
            examples: size of the training set.
        """
        raise NotImplementedError

    def operations_per_step(self) -> float:
        """Floating-point operations (a multiply-add counts two) that one replica's step cannot do without."""
        raise NotImplementedError
