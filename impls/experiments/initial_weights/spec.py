"""Feed-forward nets with each of three distributions of the weights before training.

For fig_initial_weights, an ablation of a choice of this suite. Batch norm removes the scale of the weights from the
activations, but smaller weights turn faster: a step of Adam has the same size for all.
"""

from __future__ import annotations

from typing import ClassVar, Self

from impls.experiments.feedforward import spec as feedforward


class Spec(feedforward.Spec):
    """One cell of this variant of the feed-forward experiment."""

    cell_fields: ClassVar[tuple[str, ...]] = (*feedforward.Spec.cell_fields, "initial_weights")
    twins: ClassVar[str] = "feedforward"

    @classmethod
    def ladder(cls) -> list[Self]:
        return [cls.tiny(method="dni", initial_weights="glorot_uniform")]
