"""The depth of the synthetic-gradient model M: linear, or with one or two hidden layers.

Reproduces fig_linear_dni (paper: "Every layer DNI"). The paper chose the depth of M on the test error.
fig_depth_choice, an addition of this suite, compares this with a choice on training examples held out for validation.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import NonNegativeInt

from impls.experiments.feedforward import spec as feedforward
from impls.fields import choice


class Spec(feedforward.Spec):
    """One cell of this variant of the feed-forward experiment."""

    cell_fields: ClassVar[tuple[str, ...]] = (*feedforward.Spec.cell_fields, "synthetic_gradient_depth")
    twins: ClassVar[str] = "feedforward"

    validation_examples: NonNegativeInt = choice(
        10_000, "number of training examples, the last ones, held out for a validation error"
    )

    @classmethod
    def ladder(cls) -> list[Self]:
        return [cls.tiny(method="dni", synthetic_gradient_depth=0, validation_examples=10)]
