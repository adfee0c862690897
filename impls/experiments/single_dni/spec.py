"""One DNI after one hidden layer of a 6-layer net, and the difference between its synthetic and the true gradients.

Reproduces text_single_dni and fig_gradient_quality (paper: "Single DNI"). `bprop` is the net without a cut.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import model_validator

from impls.experiments.feedforward import spec as feedforward
from impls.fields import paper


class Spec(feedforward.Spec):
    """One cell of this variant of the feed-forward experiment."""

    cell_fields: ClassVar[tuple[str, ...]] = (*feedforward.Spec.cell_fields, "cut_after")
    twins: ClassVar[str] = "feedforward"

    depth: int = paper(6, "layers, including the classifier", ge=2)

    @model_validator(mode="after")
    def _one_cut(self) -> Self:
        if self.method != "bprop" and not self.cut_after:
            raise ValueError(f"{self.method} needs a cut: set cut_after from 1 to {self.depth - 1}")
        return self

    @classmethod
    def ladder(cls) -> list[Self]:
        # M has enough units that none of its outputs is zero: the cosine of a zero vector would be only rounding.
        wide = {"cut_after": 2, "synthetic_gradient_units": 16}
        return [cls.tiny(method=method, **wide) for method in ("no_bprop", "dni", "cdni")]
