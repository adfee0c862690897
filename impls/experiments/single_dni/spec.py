"""One DNI, after one hidden layer of a 6-layer net; how near its synthetic gradients are to the true ones.

Reproduces text_single_dni and fig_gradient_quality (paper.md section 3). `bprop` is the net without a cut.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import model_validator

from impls.experiments.feedforward import spec as feedforward
from impls.fields import paper


class Spec(feedforward.Spec):
    """One cell: as in the feed-forward experiment, whose twins run it."""

    cell_fields: ClassVar[tuple[str, ...]] = (*feedforward.Spec.cell_fields, "cut_after")
    twins: ClassVar[str] = "feedforward"

    depth: int = paper(6, "layers, the classifier included", ge=2)

    @model_validator(mode="after")
    def _one_cut(self) -> Self:
        if self.method != "bprop" and not self.cut_after:
            raise ValueError(f"{self.method} needs its cut: cut_after from 1 to {self.depth - 1}")
        return self

    @classmethod
    def ladder(cls) -> list[Self]:
        # So many units in M that no example leaves all of them silent: the cosine of nothing is rounding alone.
        wide = {"cut_after": 2, "synthetic_gradient_units": 16}
        return [cls.tiny(method=method, **wide) for method in ("no_bprop", "dni", "cdni")]
