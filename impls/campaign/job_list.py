"""The list of a campaign: which cells to train, the most valuable first, read from `config/campaign.yaml` and checked.

A stage has blocks of cells like a preset's, and is checked as one. The same cell may come again in a later stage: with
more replicas, which then replace the earlier result once they are complete; or as the same run, to go on from where
`pause_at` let it rest.
"""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, PositiveInt, ValidationError

from impls.engine.spec import CellSpec
from impls.errors import UserError
from impls.fields import ClosedModel, readable
from impls.presets import Preset, cells, load_preset, read_yaml, replicas, unknown_keys
from impls.registry import experiments, implementation_folder, spec_class

GENERAL = ("preset", "data", "device", "frameworks", "replicas", "first_seed", "precision")
GROWING = "growing"  # the folder for runs with more replicas than the result that stands


class Stage(ClosedModel):
    """Cells that are trained for one purpose. In the file, each experiment is a key of its own beside these."""

    title: str = Field(description="what the stage is for")
    replicas: PositiveInt | None = Field(None, description="trainings of each of its cells, if not the campaign's")
    pause_at: PositiveInt | None = Field(
        None, description="leave each cell, as a partial result, once it is past this iteration; a later stage goes on"
    )


@dataclass(frozen=True, eq=False)
class Job:
    """One cell in one framework, as one stage asks for it."""

    stage: Stage
    preset: Preset = field(repr=False)
    experiment: str
    cell: Mapping[str, Any] = field(repr=False)
    framework: str
    grows: bool  # whether an earlier stage has the same cell with fewer replicas

    @cached_property
    def spec(self) -> CellSpec:
        """What is computed."""
        return spec_class(self.experiment)(**self.cell)

    @cached_property
    def name(self) -> str:
        """Of the cell and framework, `<experiment>/<cell>/<framework>`: the folder of the result, below the output."""
        return f"{self.experiment}/{self.spec.path()}/{self.framework}"

    @cached_property
    def replicas(self) -> int:
        """Trainings side by side."""
        return replicas(self.preset, self.experiment, self.cell)

    @property
    def listed_name(self) -> str:
        """What `--only` is compared with: the name and the replicas."""
        return f"{self.name}/x{self.replicas}"

    @property
    def label(self) -> str:
        """For a person, such as `feedforward mnist fcn 4 dni, jax x5`."""
        values = " ".join(map(str, self.spec.cell().values()))
        return f"{self.experiment} {values}, {self.framework} x{self.replicas}"

    @property
    def seeds(self) -> list[int]:
        """One per replica."""
        return list(range(self.preset.first_seed, self.preset.first_seed + self.replicas))

    @property
    def folder(self) -> str:
        """Where it trains, below the output: beside the result that stands, as long as it has fewer replicas."""
        return f"{GROWING}/x{self.replicas}/{self.name}" if self.grows else self.name

    @property
    def last_iteration(self) -> int:
        """Where this stage lets it rest."""
        return self.stage.pause_at or self.spec.iterations

    @cached_property
    def operations_per_iteration(self) -> float:
        """Of all replicas, as the spec counts them."""
        return self.replicas * self.spec.operations_per_step()

    @cached_property
    def kind(self) -> tuple[str, ...]:
        """What runs of like speed have in common, from coarse to fine."""
        spec = self.spec.model_dump()
        parts = [spec["model"], spec["dataset"], spec["method"]]
        return (self.framework, implementation_folder(self.experiment), *parts)


def load_campaign(source: str | Path | Mapping[str, Any], device: str | None = None) -> list[Job]:
    """Every job of a campaign file, the most valuable first.

    Args:
        source: path of a YAML file, or its content.
        device: another one than the file's.

    Raises:
        UserError: unreadable, or with an unknown key, a wrong value, or a cell listed again to no purpose.
    """
    content = source if isinstance(source, Mapping) else read_yaml(Path(source))
    where = "campaign" if isinstance(source, Mapping) else str(source)
    stages = content.get("stages")
    problems = unknown_keys(content, [*GENERAL, "stages"], where="")
    if not (isinstance(stages, list) and stages and all(isinstance(stage, Mapping) for stage in stages)):
        problems.append("stages: must be a list of stages, each with a title and experiments")
    if problems or not isinstance(stages, list):
        raise UserError("\n".join(f"{where}: {problem}" for problem in problems))
    general = {key: value for key, value in content.items() if key != "stages"} | ({"device": device} if device else {})
    load_preset(general, where)
    jobs: list[Job] = []
    for number, stage in enumerate(stages):
        jobs += _jobs_of_stage(stage, general, f"{where}: stages[{number}]")
    _check_repetitions(jobs, where)
    return _growing(jobs)


def select(jobs: list[Job], framework: str | None, patterns: Iterable[str]) -> list[Job]:
    """The jobs of one framework (None: both) whose listed name has one of the patterns in it (none given: all).

    Raises:
        UserError: a pattern that no job has.
    """
    jobs = [job for job in jobs if framework in (None, job.framework)]
    patterns = list(patterns)
    for pattern in patterns:
        if not any(_has(job, pattern) for job in jobs):
            some = "\n  ".join(dict.fromkeys(job.listed_name for job in jobs[::17]))
            raise UserError(
                f"--only {pattern}: no cell of the campaign has that in its name. Names are such as\n  {some}"
            )
    return [job for job in jobs if not patterns or any(_has(job, pattern) for pattern in patterns)]


def _has(job: Job, pattern: str) -> bool:
    return fnmatch.fnmatchcase(job.listed_name, f"*{pattern}*")


def _jobs_of_stage(content: Mapping[str, Any], general: Mapping[str, Any], where: str) -> list[Job]:
    """In the order of the file: its experiments, their cells, and of each cell every framework."""
    problems = unknown_keys(content, [*Stage.model_fields, *experiments()], where)
    if problems:
        raise UserError("\n".join(problems))
    named = [key for key in content if key in experiments()]
    if not named:
        raise UserError(f"{where}: names no experiment; there are {', '.join(experiments())}")
    try:
        stage = Stage.model_validate({key: value for key, value in content.items() if key not in named})
    except ValidationError as error:
        raise UserError("\n".join(f"{where}: {line}" for line in readable(error))) from None
    own = {"replicas": stage.replicas} if stage.replicas else {}
    preset = load_preset({**general, **own, **{name: content[name] for name in named}}, where)
    return [
        Job(stage, preset, experiment, cell, framework, grows=False)
        for experiment in named
        for cell, framework in itertools.product(cells(preset, experiment), preset.frameworks)
    ]


def _check_repetitions(jobs: list[Job], where: str) -> None:
    """A cell that comes again must add something to what the earlier stage made of it."""
    last: dict[str, Job] = {}
    for job in jobs:
        here = f"{where}: {job.name} in stage {job.stage.title!r}"
        pause = job.stage.pause_at
        if pause is not None and pause >= job.spec.iterations:
            raise UserError(f"{here}: pause_at must be below its {job.spec.iterations} iterations")
        earlier = last.get(job.name)
        last[job.name] = job
        if earlier is None:
            continue
        if job.spec != earlier.spec:
            raise UserError(f"{here}: has other settings than in stage {earlier.stage.title!r}; a cell has one folder")
        further = job.replicas == earlier.replicas and earlier.last_iteration < job.last_iteration
        if not (further or job.replicas > earlier.replicas):
            raise UserError(
                f"{here}: is in stage {earlier.stage.title!r} already; "
                "list it again only with more replicas, or to go on from a pause_at"
            )


def _growing(jobs: list[Job]) -> list[Job]:
    """The jobs, those marked that an earlier stage has with fewer replicas."""
    first: dict[str, int] = {}
    return [replace(job, grows=job.replicas > first.setdefault(job.name, job.replicas)) for job in jobs]
