"""BP(lambda): backpropagated and synthetic gradient mixed at every cut, from DNI (0) to backpropagation (1).

Draws fig_bp_lambda. The paper defines it (its supplement; paper.md section 7) and publishes no result: the sweep is an
addition of this suite.
"""

from __future__ import annotations

from typing import ClassVar, Self

from impls.experiments.feedforward import spec as feedforward


class Spec(feedforward.Spec):
    """One cell: as in the feed-forward experiment, whose twins run it."""

    cell_fields: ClassVar[tuple[str, ...]] = (*feedforward.Spec.cell_fields, "bp_lambda")
    twins: ClassVar[str] = "feedforward"

    @classmethod
    def ladder(cls) -> list[Self]:
        return [cls.tiny(method="dni", bp_lambda=0.75), cls.tiny(method="cdni", bp_lambda=0.25)]
