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


def paper(default: Any, description: str, *, older: Any = None, **constraints: Any) -> Any:
    """A field whose default is stated by the paper. `older`: see `choice`."""
    return _marked("paper", default, description, older, constraints)


def choice(default: Any, description: str, *, older: Any = None, **constraints: Any) -> Any:
    """A field that the paper leaves open: the default is this suite's choice, and is marked so with the results.

    Args:
        older: for a field that was added after runs had been published: the value with which they were computed. It
            completes their records, which lack the field, and stays when the default changes.
    """
    return _marked("choice", default, description, older, constraints)


def _marked(mark: str, default: Any, description: str, older: Any, constraints: dict[str, Any]) -> Any:
    extra = {"mark": mark} | ({} if older is None else {"older": older})
    return Field(default, description=description, json_schema_extra=extra, **constraints)


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
