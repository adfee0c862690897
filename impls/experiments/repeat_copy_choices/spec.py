"""Repeat Copy with one choice about the task changed after the other.

For fig_repeat_copy_choices, an ablation: it asks which choice holds truncated backpropagation up at the paper's length
while synthetic gradients go on.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field

from impls.experiments.recurrent import spec as recurrent


class Spec(recurrent.Spec):
    """One cell of this variant of the recurrent experiment."""

    cell_fields: ClassVar[tuple[str, ...]] = (
        *recurrent.Spec.cell_fields,
        *("repeats_step", "level_draw", "carry_state", "solved_unit"),
    )
    twins: ClassVar[str] = "recurrent"

    dataset: Literal["repeat_copy"] = Field("repeat_copy", description="task")

    @classmethod
    def ladder(cls) -> list[Self]:
        return [cls.tiny(method="dni", level_draw="uniform", solved_unit="sequence")]
