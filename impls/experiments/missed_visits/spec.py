"""Sparse updates with both answers to what Adam does with a layer that is not visited.

For fig_missed_visits, an ablation of a choice of this suite. If a missed visit leaves a layer as it is, training with
update probability p takes 1/p times as long. If it is an update with a gradient of zero, Adam's mean of the gradients
shrinks by the factor p, and the root of its mean square by the root of p, so training takes 1/sqrt(p) times as long.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field

from impls.experiments.unlock import spec as unlock
from impls.fields import Depth


class Spec(unlock.Spec):
    """One cell of this variant of sparse updates."""

    cell_fields: ClassVar[tuple[str, ...]] = (*unlock.Spec.cell_fields, "unvisited", "synthetic_gradient_depth")
    twins: ClassVar[str] = "unlock"

    synthetic_gradient_depth: Depth = Field(0, description="hidden layers of each M; 0: one linear map")

    @classmethod
    def ladder(cls) -> list[Self]:
        return [cls.tiny(method="cdni", unvisited="frozen")]
