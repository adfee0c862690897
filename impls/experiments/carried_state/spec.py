"""Copy and Repeat Copy with the core's state carried from one sequence to the next, where the default clears it.

Draws fig_carried_state, an ablation of a choice of this suite: the paper does not say which it did. A state that nobody
clears has to be cleared by the net, for the sake of errors that come later than a short chunk's gradient sees.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field

from impls.experiments.recurrent import spec as recurrent
from impls.fields import choice


class Spec(recurrent.Spec):
    """One cell: as in the recurrent experiment, whose twins run it."""

    twins: ClassVar[str] = "recurrent"

    dataset: Literal["copy", "repeat_copy"] = Field("copy", description="task")
    carry_state: bool = choice(True, "carry the core's state from one sequence to the next")

    @classmethod
    def ladder(cls) -> list[Self]:
        return [cls.tiny(method="dni")]
