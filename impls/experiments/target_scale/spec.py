"""The scale of what M learns: one example's gradient, or that of the batch's mean loss, which is smaller by its size.

Draws fig_target_scale, an ablation of a choice of this suite (paper.md section 1). With targets of the batch mean, the
gradients of the regression come near Adam's epsilon and M learns late; a smaller epsilon shows that this is why.
"""

from __future__ import annotations

from typing import ClassVar, Self

from impls.experiments.feedforward import spec as feedforward


class Spec(feedforward.Spec):
    """One cell: as in the feed-forward experiment, whose twins run it."""

    cell_fields: ClassVar[tuple[str, ...]] = (*feedforward.Spec.cell_fields, "target_scale", "adam_epsilon")
    twins: ClassVar[str] = "feedforward"

    @classmethod
    def ladder(cls) -> list[Self]:
        return [cls.tiny(method="dni", target_scale="batch_mean")]
