"""Base class and fields of the suite's pydantic models, and the text of their errors.

Models are closed and frozen, and each field is marked with the source of its default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from impls.errors import nearest

Precision = Literal["fp32", "tf32", "bf16", "fp64"]


class ClosedModel(BaseModel):
    """An immutable model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def paper(default: Any, description: str, **constraints: Any) -> Any:
    """A field whose default is stated by the paper."""
    return Field(default, description=description, json_schema_extra={"mark": "paper"}, **constraints)


def choice(default: Any, description: str, **constraints: Any) -> Any:
    """A field that the paper leaves open: the default is this suite's choice, and is marked so with the results."""
    return Field(default, description=description, json_schema_extra={"mark": "choice"}, **constraints)


def readable(error: ValidationError, prefixes: Mapping[str, str] | None = None) -> list[str]:
    """One line for each wrong value: its place, its value, and what is allowed."""
    lines = []
    for detail in error.errors():
        location = [part for part in detail["loc"] if part != "experiments"]
        name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
        place = (prefixes or {}).get(str(location[0]) if location else "", "") + name
        where = f"{place}: " if place else ""
        given = "" if detail["type"] in ("missing", "json_invalid") else f" (given: {detail['input']!r})"
        choices = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
        near = nearest(detail["input"], choices)
        hint = f"; did you mean {near!r}?" if near else ""
        lines.append(f"{where}{detail['msg'].removeprefix('Value error, ')}{given}{hint}")
    return lines
