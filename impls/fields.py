"""How the suite's pydantic models are declared: closed and frozen, and each field says where its default comes from."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Precision = Literal["fp32", "tf32", "bf16", "fp64"]


class ClosedModel(BaseModel):
    """A model that refuses keys it does not know and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def paper(default: Any, description: str, **constraints: Any) -> Any:
    """A field whose default is stated by the paper."""
    return Field(default, description=description, json_schema_extra={"mark": "paper"}, **constraints)


def choice(default: Any, description: str, **constraints: Any) -> Any:
    """A field that the paper leaves open: the default is this suite's choice, and shown as such with the results."""
    return Field(default, description=description, json_schema_extra={"mark": "choice"}, **constraints)
