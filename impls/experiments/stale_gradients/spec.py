"""Stale gradients in place of synthetic ones: an exponential average of the true gradients of past iterations.

Reproduces text_stale_gradients (paper.md section 2). The paper does not say over what it averaged: here each batch's
gradients are averaged over its examples, since the examples of another batch are others, and no debiasing is applied.
The paper took the decay with the best test error, of a search that it does not describe.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field

from impls.experiments.feedforward import spec as feedforward


class Spec(feedforward.Spec):
    """One cell: as in the feed-forward experiment, whose twins run it."""

    cell_fields: ClassVar[tuple[str, ...]] = (*feedforward.Spec.cell_fields, "stale_decay")
    twins: ClassVar[str] = "feedforward"

    method: Literal["stale"] = Field("stale", description="what crosses the cuts")

    @classmethod
    def ladder(cls) -> list[Self]:
        return [cls.tiny(stale_decay=0.0)]  # the last iteration's; feedforward's ladder has an average
