"""How deep the synthetic-gradient model M should be: linear, or with one or two hidden layers.

Reproduces fig_linear_dni (paper.md section 2). The paper chose the depth of M on test error; fig_depth_choice, an
addition of this suite, holds that against choosing on training examples held out for validation.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import NonNegativeInt

from impls.experiments.feedforward import spec as feedforward
from impls.fields import choice


class Spec(feedforward.Spec):
    """One cell: as in the feed-forward experiment, whose twins run it."""

    cell_fields: ClassVar[tuple[str, ...]] = (*feedforward.Spec.cell_fields, "synthetic_gradient_depth")
    twins: ClassVar[str] = "feedforward"

    validation_examples: NonNegativeInt = choice(10_000, "training examples, the last, held out and evaluated apart")

    @classmethod
    def ladder(cls) -> list[Self]:
        return [cls.tiny(method="dni", synthetic_gradient_depth=0, validation_examples=10)]
