"""BP(lambda): a mixture of the backpropagated and the synthetic gradient at every cut, from DNI (0) to backprop (1).

For fig_bp_lambda. The paper's supplement defines BP(lambda), but has no result. The sweep is an addition of this suite.
"""

from __future__ import annotations

from typing import ClassVar, Self

from impls.experiments.feedforward import spec as feedforward


class Spec(feedforward.Spec):
    """One cell of this variant of the feed-forward experiment."""

    cell_fields: ClassVar[tuple[str, ...]] = (*feedforward.Spec.cell_fields, "bp_lambda")
    twins: ClassVar[str] = "feedforward"

    @classmethod
    def ladder(cls) -> list[Self]:
        return [cls.tiny(method="dni", bp_lambda=0.75), cls.tiny(method="cdni", bp_lambda=0.25)]
