"""The scale of M's target: the gradient of one example's loss, or of the mean loss, which is smaller by the batch size.

For fig_target_scale, an ablation of a choice of this suite. With the mean loss, the gradients of M's regression are
close to Adam's epsilon, and M learns late. A run with a smaller epsilon shows that this is the reason.
"""

from __future__ import annotations

from typing import ClassVar, Self

from impls.experiments.feedforward import spec as feedforward


class Spec(feedforward.Spec):
    """One cell of this variant of the feed-forward experiment."""

    cell_fields: ClassVar[tuple[str, ...]] = (*feedforward.Spec.cell_fields, "target_scale", "adam_epsilon")
    twins: ClassVar[str] = "feedforward"

    @classmethod
    def ladder(cls) -> list[Self]:
        return [cls.tiny(method="dni", target_scale="batch_mean")]
