"""The copy task at a size that trains in minutes, with one choice changed at a time; an addition of this suite.

It shows when synthetic gradients help a recurrent net to learn lengths at which truncated backpropagation stalls, and
how this depends on the predictions of M in each phase of the sequence. docs/findings.md discusses each change.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from impls.experiments.recurrent.spec import Spec as Recurrent

SMALL = {
    "hidden_units": 64,
    "character_bits": 2,
    "batch_size": 64,
    "learning_rate": 3e-4,
    "iterations": 60_000,
    "evaluate_every": 2_000,
}
CHANGES: dict[str, dict[str, Any]] = {
    "none": {},
    "unscaled_target": {"factor_in_target": False},
    "factor_1": {"synthetic_gradient_factor": 1.0},
    "fast_model": {"synthetic_gradient_learning_rate": 1e-3},
    "deep_model": {"synthetic_gradient_depth": 2},
    "state_seen": {"synthetic_gradient_input": "state"},
    "regression_gradient": {"regression_gradient": True},
    "shared_phase": {"phase": "shared"},
    "carried_state": {"carry_state": True},
    "long_window": {"solved_window": 1000},
    "large_batch": {"batch_size": 256},
    "slow": {"learning_rate": 1e-4},
    "fast": {"learning_rate": 1e-3},
}


class Spec(Recurrent):
    """The recurrent spec on Copy. The defaults are those of `SMALL`, with the named change."""

    twins: ClassVar[str] = "recurrent"
    cell_fields: ClassVar[tuple[str, ...]] = ("dataset", "model", "method", "truncation_length", "change")

    dataset: Literal["copy"] = Field("copy", description="task")
    change: Literal[tuple(CHANGES)] = Field(  # type: ignore[valid-type]  # the names of CHANGES
        "none",
        description="the choice that is changed: "
        + "; ".join(
            f"{change}: {', '.join(f'{name} = {value}' for name, value in fields.items()) or 'nothing'}"
            for change, fields in CHANGES.items()
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _small_and_changed(cls, given: dict[str, Any]) -> dict[str, Any]:
        change = given.get("change", "none")
        return SMALL | (CHANGES.get(change, {}) if isinstance(change, str) else {}) | given

    @field_validator("change")
    @classmethod
    def _not_contradicted(cls, change: str, fields: ValidationInfo) -> str:
        """Check that no given value contradicts the change; other sizes are allowed.

        `change` is the last field, so the other fields have been converted from the command line's text.
        """
        for name, value in CHANGES[change].items():
            if fields.data.get(name, value) != value:
                raise ValueError(f"change {change} sets {name} to {value}: omit this flag, or choose another change")
        return change

    @classmethod
    def ladder(cls) -> list[Self]:
        return [cls.tiny(method="dni", change="state_seen")]
