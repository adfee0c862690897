"""The list of a campaign: which cells to train, the most valuable first, read from `config/campaign.yaml` and checked.

A stage has blocks of cells like a preset's, and is checked in the same way. A later stage may repeat a cell. If it has
more replicas, its result replaces the earlier one once it is complete. If it is the same run, it continues from the
`pause_at` of the earlier stage.
"""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from impls.engine.spec import CellSpec
from impls.errors import UserError
from impls.fields import ClosedModel, Iterations, Replicas, readable
from impls.presets import Preset, cells, load_preset, replicas, unknown_keys
from impls.registry import experiments, implementation_folder, spec_class
from impls.yaml_files import read_yaml

GENERAL = ("preset", "data", "device", "frameworks", "replicas", "first_seed", "precision")
GROWING = "growing"  # the folder for runs with more replicas than the current result


class Stage(ClosedModel):
    """Cells that are trained for one purpose. In the file, each experiment is a further key of the stage."""

    title: str = Field(description="the purpose of the stage")
    replicas: Replicas | None = Field(None, description="replicas of each cell, if not the campaign's")
    pause_at: Iterations | None = Field(
        None, description="stop each cell after this iteration, as a partial result; a later stage can resume it"
    )


@dataclass(frozen=True, eq=False)
class Job:
    """One cell in one framework, as listed in one stage."""

    stage: Stage
    preset: Preset = field(repr=False)
    experiment: str
    cell: Mapping[str, Any] = field(repr=False)
    framework: str
    grows: bool  # an earlier stage has the same cell with fewer replicas

    @cached_property
    def spec(self) -> CellSpec:
        """The spec of the cell."""
        return spec_class(self.experiment)(**self.cell)

    @cached_property
    def name(self) -> str:
        """`<experiment>/<cell>/<framework>`: the folder of the result, relative to the output folder."""
        return f"{self.experiment}/{self.spec.path()}/{self.framework}"

    @cached_property
    def replicas(self) -> int:
        """The number of replicas."""
        return replicas(self.preset, self.experiment, self.cell)

    @property
    def listed_name(self) -> str:
        """The name and the number of replicas; `--only` is matched against it."""
        return f"{self.name}/x{self.replicas}"

    @property
    def label(self) -> str:
        """A readable name, such as `feedforward mnist fcn 4 dni, jax x5`."""
        values = " ".join(map(str, self.spec.cell().values()))
        return f"{self.experiment} {values}, {self.framework} x{self.replicas}"

    @property
    def seeds(self) -> list[int]:
        """One per replica."""
        return list(range(self.preset.first_seed, self.preset.first_seed + self.replicas))

    @property
    def folder(self) -> str:
        """The folder of the training, relative to the output folder: under `growing/` if an earlier result exists."""
        return f"{GROWING}/x{self.replicas}/{self.name}" if self.grows else self.name

    @property
    def last_iteration(self) -> int:
        """Last iteration of this stage."""
        return self.stage.pause_at or self.spec.iterations

    @cached_property
    def operations_per_iteration(self) -> float:
        """Floating-point operations of one iteration of all replicas, as counted by the spec."""
        return self.replicas * self.spec.operations_per_step()

    @cached_property
    def kind(self) -> tuple[str, ...]:
        """The properties that decide the speed of a run, from coarse to fine."""
        spec = self.spec.model_dump()
        parts = [spec["model"], spec["dataset"], spec["method"]]
        return (self.framework, implementation_folder(self.experiment), *parts)


def load_campaign(source: str | Path | Mapping[str, Any], device: str | None = None) -> list[Job]:
    """Every job of a campaign file, the most valuable first.

    Args:
        source: path of a YAML file, or its content.
        device: replaces the file's device.

    Raises:
        UserError: the file is unreadable, has an unknown key or a wrong value, or repeats a cell without effect.
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
    """The jobs of one framework (None: both) whose listed name contains one of the patterns (no patterns: all jobs).

    Raises:
        UserError: a pattern matches no job.
    """
    jobs = [job for job in jobs if framework in (None, job.framework)]
    patterns = list(patterns)
    for pattern in patterns:
        if not any(_has(job, pattern) for job in jobs):
            some = "\n  ".join(dict.fromkeys(job.listed_name for job in jobs[::17]))
            raise UserError(
                f"--only {pattern}: no cell of the campaign has this in its name. Examples of names:\n  {some}"
            )
    return [job for job in jobs if not patterns or any(_has(job, pattern) for pattern in patterns)]


def _has(job: Job, pattern: str) -> bool:
    return fnmatch.fnmatchcase(job.listed_name, f"*{pattern}*")


def _jobs_of_stage(content: Mapping[str, Any], general: Mapping[str, Any], where: str) -> list[Job]:
    """The jobs of a stage in the order of the file: by experiment, cell and framework."""
    problems = unknown_keys(content, [*Stage.model_fields, *experiments()], where)
    if problems:
        raise UserError("\n".join(problems))
    named = [key for key in content if key in experiments()]
    if not named:
        raise UserError(f"{where}: has no experiment; the experiments are {', '.join(experiments())}")
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
    """Check that a repeated cell has more replicas or more iterations than in the earlier stage."""
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
            raise UserError(
                f"{here}: its settings differ from stage {earlier.stage.title!r}; a cell has only one folder"
            )
        further = job.replicas == earlier.replicas and earlier.last_iteration < job.last_iteration
        if not (further or job.replicas > earlier.replicas):
            raise UserError(
                f"{here}: is already in stage {earlier.stage.title!r}; "
                "repeat it only with more replicas, or to continue after a pause_at"
            )


def _growing(jobs: list[Job]) -> list[Job]:
    """The jobs, with `grows` set for those that an earlier stage has with fewer replicas."""
    first: dict[str, int] = {}
    return [replace(job, grows=job.replicas > first.setdefault(job.name, job.replicas)) for job in jobs]
