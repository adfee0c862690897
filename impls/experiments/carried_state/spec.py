"""Copy and Repeat Copy with the core's state carried from one sequence to the next; by default it is cleared.

For fig_carried_state, an ablation of a choice of this suite: the paper does not state which variant it used. The net
must learn to clear a carried state itself. The errors of a wrong state come later than a short chunk's gradient sees.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field

from impls.experiments.recurrent import spec as recurrent
from impls.fields import choice


class Spec(recurrent.Spec):
    """One cell of this variant of the recurrent experiment."""

    twins: ClassVar[str] = "recurrent"

    dataset: Literal["copy", "repeat_copy"] = Field("copy", description="task")
    carry_state: bool = choice(True, "carry the core's state from one sequence to the next")

    @classmethod
    def ladder(cls) -> list[Self]:
        return [cls.tiny(method="dni")]
