"""Stale gradients instead of synthetic ones: an exponential average of the true gradients of past iterations.

Reproduces text_stale_gradients (paper: "Every layer DNI"). The paper does not state what it averaged. Here each batch's
gradients are averaged over its examples, because the next batch has other examples, and there is no bias correction.
The paper chose the decay with the best test error, in a search that it does not describe.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field

from impls.experiments.feedforward import spec as feedforward


class Spec(feedforward.Spec):
    """One cell of this variant of the feed-forward experiment."""

    cell_fields: ClassVar[tuple[str, ...]] = (*feedforward.Spec.cell_fields, "stale_decay")
    twins: ClassVar[str] = "feedforward"

    method: Literal["stale"] = Field("stale", description="gradient at the cuts")

    @classmethod
    def ladder(cls) -> list[Self]:
        return [cls.tiny(stale_decay=0.0)]  # the gradient of the last iteration; feedforward's ladder has an average
