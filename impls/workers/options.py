"""What `python -m impls workers` measures. Each field is a flag of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, NonNegativeFloat, model_validator

from impls.fields import DEEPEST, ClosedModel, Count, GivenPath, Processes
from impls.workers.schedules import SCHEDULES, Schedule
from impls.workers.times import TIMES

WARM_UP = 20  # batches that are not timed


class TimingOptions(ClosedModel):
    """How workers are timed; also a part of a preset."""

    schedules: tuple[Schedule, ...] = Field(SCHEDULES, description=f"any of {', '.join(SCHEDULES)}", min_length=1)
    link_delays: tuple[NonNegativeFloat, ...] = Field(
        (0, 1, 5, 20), description="emulated delays of a link in ms; each message is held back so long", min_length=1
    )
    batches: int = Field(
        120, description=f"iterations of each training; the first {WARM_UP} are not timed", gt=WARM_UP, le=1_000_000
    )
    starts: Processes = Field(3, description="how often the processes are started; each start times every case once")


class WorkersOptions(TimingOptions):
    """The net that the workers share, and where the times go."""

    output: GivenPath = Field(Path(TIMES), description="file for the times, as JSON")
    dataset: Literal["mnist", "cifar10"] = Field("mnist", description="whose shapes the random examples have")
    depth: int = Field(6, description="layers, including the classifier", ge=2, le=DEEPEST)
    hidden_units: Count | None = Field(None, description="units of each hidden layer; not given: as in the paper")
    batch_size: Count = Field(256, description="examples per iteration")
    workers: int = Field(2, description="processes", ge=2, le=DEEPEST)
    method: Literal["dni", "cdni"] = Field("cdni", description="what the unlocked workers train")

    @model_validator(mode="after")
    def _a_layer_for_each(self) -> Self:
        if self.workers > self.depth:
            raise ValueError(f"--workers must be at most --depth, {self.depth}: each worker has a layer of its own")
        return self


NET = ("dataset", "depth", "hidden_units", "batch_size", "workers")  # fields that the unlocked experiment has, too
