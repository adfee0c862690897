"""The settings of `compare`: gate.toml, checked on reading."""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator

FILE = Path(__file__).with_name("gate.toml")


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Busy(_Closed):
    """The shares of the cores' time above which a pair is measured again, and the number of tries in all."""

    steal: NonNegativeFloat
    others: NonNegativeFloat
    tries: PositiveInt

    def was(self, watched: Mapping[str, float]) -> bool:
        """Whether the machine was busy with something else; values that could not be read do not count."""
        return watched.get("steal", 0) > self.steal or watched.get("others", 0) > self.others


class Margin(_Closed):
    """How much slower, as a share, the benchmarks that match a pattern may be, and why."""

    benchmarks: str
    margin: PositiveFloat
    reason: str


class Gate(_Closed):
    """The content of gate.toml, in which comments explain the entries."""

    level: float = Field(gt=0, lt=0.5)
    result_tolerance: PositiveFloat
    minutes_per_process: PositiveFloat
    busy: Busy
    margins: list[Margin]

    @field_validator("margins")
    @classmethod
    def _every_benchmark_has_one(cls, margins: list[Margin]) -> list[Margin]:
        if not any(margin.benchmarks == "*" for margin in margins):
            raise ValueError('one must be for benchmarks = "*"')
        return margins

    def margin(self, benchmark: str) -> float:
        """The last margin that matches the benchmark's name, such as "feedforward/dni/x1"."""
        return [m.margin for m in self.margins if fnmatch.fnmatchcase(benchmark, m.benchmarks)][-1]


def read_gate() -> Gate:
    """The gate. A broken gate.toml raises an error of pydantic or of TOML that names the place."""
    return Gate.model_validate(tomllib.loads(FILE.read_text()))
