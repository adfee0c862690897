"""Base class and fields of the suite's pydantic models, and the text of their errors.

Models are closed and frozen, and each field is marked with the source of its default.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from impls.errors import nearest


def _not_the_committed_folder(name: str) -> str:
    if name == "published":
        raise ValueError("results/published holds the committed results; choose another name")
    return name


def _given(path: object) -> object:
    if path == "":
        raise ValueError("the path is empty")
    return path


Precision = Literal["fp32", "tf32", "bf16", "fp64"]
# A larger number is a slip, and would end in hours of compiling or in the loss of all memory.
Count = Annotated[int, Field(gt=0, le=1_000_000)]  # units, examples
DEEPEST = 200  # layers
Depth = Annotated[int, Field(ge=0, le=DEEPEST)]
TimeSteps = Annotated[int, Field(gt=0, le=1_000)]
Iterations = Annotated[int, Field(gt=0, le=1_000_000_000)]
Replicas = Annotated[int, Field(gt=0, le=10_000)]
FirstSeed = Annotated[int, Field(ge=0, le=2**62)]
Processes = Annotated[int, Field(gt=0, le=1_024)]  # also threads
PresetName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$"), AfterValidator(_not_the_committed_folder)]
GivenPath = Annotated[Path, BeforeValidator(_given)]


class ClosedModel(BaseModel):
    """An immutable model that refuses unknown keys, numbers that are not finite, and `true` in place of a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _a_switch_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        values = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(v, bool) for v in values) and not cls._takes_switches(info.field_name or ""):
            raise ValueError("must not be true or false")
        return value

    @classmethod
    @cache
    def _takes_switches(cls, name: str) -> bool:
        kinds, pending = set(), [cls.model_fields[name].annotation]
        while pending:
            kind = pending.pop()
            kinds.add(kind)
            pending += typing.get_args(kind)
        return bool({bool, Any} & kinds)


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


def _shown(key: str) -> str:
    """A key as it is, or with quotes and escapes if it is no name."""
    return key if re.fullmatch(r"[\w.:~ -]+|\[key\]", key) else repr(key)


def readable(error: ValidationError, prefixes: Mapping[str, str] | None = None) -> list[str]:
    """One line for each wrong value: its place, its value, and what is allowed."""
    lines = []
    for detail in error.errors():
        location = [part for part in detail["loc"] if part != "experiments"]
        name = "".join(f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in location).lstrip(".")
        place = (prefixes or {}).get(str(location[0]) if location else "", "") + name
        where = f"{place}: " if place else ""
        given = "" if detail["type"] in ("missing", "json_invalid") else f" (given: {detail['input']!r})"
        choices = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
        near = nearest(detail["input"], choices)
        hint = f"; did you mean {near!r}?" if near else ""
        lines.append(f"{where}{detail['msg'].removeprefix('Value error, ')}{given}{hint}")
    return lines
