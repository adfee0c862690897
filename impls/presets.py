"""Presets: which cells to train, at which size, read from `config/*.yaml` and checked key by key.

The schema is closed at every level: the preset itself, its blocks of cells, and the settings, which are fields of the
experiment's spec. The workflow and the plain command line both build the command of a cell here.
"""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PrivateAttr, ValidationError, field_validator

from impls.engine.machine import finds_gpu
from impls.engine.options import flags
from impls.errors import UserError, nearest
from impls.fields import ClosedModel, FirstSeed, Precision, PresetName, Replicas, readable
from impls.registry import experiments, spec_class
from impls.workers.options import NET, TimingOptions
from impls.yaml_files import read_yaml


class Block(ClosedModel):
    """The product of `cells`, each trained with the same `settings`."""

    cells: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        description="the values of each field that names a cell"
    )
    settings: dict[str, Any] = Field(default={}, description="other fields of the experiment's spec")
    replicas: Replicas | None = Field(None, description="replicas of each of these cells, if not the preset's")


class Preset(ClosedModel):
    """One file of `config/`. In the file, each experiment is a further key, with its list of blocks."""

    preset: PresetName = Field(description="name of the folder under results/")
    source: Literal["runs", "published"] = Field(
        "runs", description="runs: train; published: draw from results/published alone"
    )
    data: Literal["embedded", "original"] = Field(description="embedded stand-ins, or the original data sets")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU if there is one")
    frameworks: list[Literal["torch", "jax"]] = Field(description="which implementations to train", min_length=1)
    replicas: Replicas = Field(description="independent trainings of each cell, all at once, each with its own seed")
    first_seed: FirstSeed = Field(0, description="seed of the first replica; the others count up from it")
    precision: Precision = Field("fp32", description="arithmetic of training")
    max_minutes: PositiveFloat | None = Field(
        None, description="stop each cell at a checkpoint after this many minutes; the same command goes on"
    )
    checkpoint_minutes: NonNegativeFloat = Field(
        5.0, description="minutes between checkpoints, the most that a kill loses; 0: at every launch"
    )
    worker_times: TimingOptions = Field(
        default_factory=lambda: TimingOptions.model_validate({}),
        description="how the workers of unlocked are timed, for the net of its cells",
    )
    experiments: dict[str, list[Block]] = Field(default={}, description="blocks by experiment")
    _listed: dict[str, dict] = PrivateAttr(default_factory=dict)  # see `_cells_and_blocks`

    @field_validator("frameworks")
    @classmethod
    def _each_once(cls, frameworks: list[str]) -> list[str]:
        if len(set(frameworks)) < len(frameworks):
            raise ValueError("names a framework twice")
        return frameworks


def load_preset(source: str | Path | Mapping[str, Any], where: str | None = None) -> Preset:
    """Read and check a preset.

    Args:
        source: path of a YAML file, or its content.
        where: its name in messages; by default the path.

    Raises:
        UserError: the preset is unreadable, has an unknown key or a wrong value, or lists a cell twice. The message
            lists every problem.
    """
    content = source if isinstance(source, Mapping) else read_yaml(Path(source))
    where = where or ("preset" if isinstance(source, Mapping) else str(source))
    known = [name for name in Preset.model_fields if name != "experiments"] + experiments()
    problems = unknown_keys(content, known, where="")
    blocks: dict[str, Any] = {}
    for experiment in experiments():
        if experiment in content:
            blocks[experiment] = content[experiment]
            problems += _block_problems(experiment, content[experiment])
    general = {key: value for key, value in content.items() if key in Preset.model_fields and key != "experiments"}
    if not problems:
        try:
            preset = Preset(**general, experiments=blocks)
            for experiment in blocks:
                cells(preset, experiment)
            return preset
        except ValidationError as error:
            problems = readable(error)
        except UserError as error:
            problems = str(error).splitlines()
    raise UserError("\n".join(f"{where}: {problem}" for problem in dict.fromkeys(problems)))


def check_name(preset: Preset, files: Iterable[str | Path]) -> None:
    """Refuse the name of another file of `config/`: its folder of results is for the cells of that file.

    Args:
        files: those from which the preset was read.

    Raises:
        UserError: the name is that of another file. The message has the command for its cells.
    """
    named = Path("config", f"{preset.preset}.yaml")
    read = [Path(file) for file in files]
    if named.is_file() and not any(file.exists() and file.samefile(named) for file in read):
        raise UserError(
            f"preset: {preset.preset} would put other cells into results/{preset.preset}; give another name. For the "
            f"cells of {named}: snakemake --configfile {named}"
        )


def cells(preset: Preset, experiment: str) -> list[dict[str, Any]]:
    """The fields of every cell of an experiment: those that name it (first, in the order of its path) and its settings.

    Raises:
        UserError: the experiment's spec refuses a value, or a cell is listed twice.
    """
    return [cell for cell, _ in _cells_and_blocks(preset, experiment).values()]


def _cells_and_blocks(preset: Preset, experiment: str) -> dict[tuple, tuple[dict[str, Any], Block]]:
    """Every cell with its block, by the values that name the cell; made once for each preset."""
    if experiment not in preset._listed:
        preset._listed[experiment] = _listed(preset, experiment)
    return preset._listed[experiment]


def _listed(preset: Preset, experiment: str) -> dict[tuple, tuple[dict[str, Any], Block]]:
    spec = spec_class(experiment)
    found: dict[tuple, tuple[dict[str, Any], Block]] = {}
    block_of: dict[tuple, int] = {}
    for number, block in enumerate(preset.experiments.get(experiment, [])):
        here = f"{experiment}[{number}]"
        for values in itertools.product(*(block.cells[name] for name in spec.cell_fields)):
            fields = dict(zip(spec.cell_fields, values, strict=True)) | block.settings
            try:
                checked = spec(**fields)
            except ValidationError as error:
                parts = {name: f"{here}.{'cells' if name in spec.cell_fields else 'settings'}." for name in fields}
                parts[""] = here  # a check of several fields together has no location
                raise UserError("\n".join(readable(error, parts))) from None
            key = tuple(checked.cell().values())
            if key in found:
                raise UserError(
                    f"{here}: the cell {checked.path()} is listed twice "
                    f"(also in {experiment}[{block_of[key]}]); list each cell once"
                )
            # In the spec's order: then the order of keys in the preset changes no command, and no job becomes stale.
            settings = [name for name in spec.model_fields if name in block.settings]
            found[key] = {name: getattr(checked, name) for name in (*spec.cell_fields, *settings)}, block
            block_of[key] = number
    return found


def replicas(preset: Preset, experiment: str, cell: Mapping[str, Any]) -> int:
    """The number of replicas of a cell: its block's, or else the preset's."""
    _, block = _cells_and_blocks(preset, experiment)[tuple(cell[name] for name in spec_class(experiment).cell_fields)]
    return block.replicas or preset.replicas


def seeds(preset: Preset, experiment: str, cell: Mapping[str, Any]) -> list[int]:
    """The seed of each replica of a cell."""
    return list(range(preset.first_seed, preset.first_seed + replicas(preset, experiment, cell)))


def result_directory(preset: Preset, experiment: str, cell: Mapping[str, Any], framework: str) -> str:
    """The folder of one cell's results, relative to the repository's root."""
    return f"results/{preset.preset}/{experiment}/{spec_class(experiment)(**cell).path()}/{framework}"


def train_command(
    preset: Preset, experiment: str, cell: Mapping[str, Any], framework: str, output: Path | None = None
) -> str:
    """The shell command that trains one cell of `cells(preset, experiment)`, with every flag that decides its result.

    The caller adds `--resume`, `--threads` and the limits (`limits`). `output` replaces the preset's folder.
    """
    values = {
        "framework": framework,
        **cell,
        "replicas": replicas(preset, experiment, cell),
        "first_seed": preset.first_seed,
        "data": preset.data,
        "precision": preset.precision,
        "device": preset.device,
        "preset": preset.preset,
        "output": output or result_directory(preset, experiment, cell, framework),
    }
    return shlex.join(["python", "-m", "impls", "train", experiment, *flags(values)])


def workers_command(preset: Preset) -> str:
    """The shell command that times workers which share the net of the preset's cells of unlocked; without `--output`.

    Raises:
        UserError: the cells have several nets.
    """
    specs = [spec_class("unlocked")(**cell) for cell in cells(preset, "unlocked")]
    nets = {tuple(getattr(spec, name) for name in NET) for spec in specs}
    if len(nets) != 1:
        raise UserError(f"unlocked: its cells have {len(nets)} nets, and workers are timed for one: {', '.join(NET)}")
    net = dict(zip(NET, nets.pop(), strict=True))
    how = preset.worker_times.model_dump(exclude_unset=True)
    return shlex.join(["python", "-m", "impls", "workers", *flags(net | how)])


def limits(preset: Preset) -> str:
    """The flags that say when a training saves and stops, and that change no result."""
    return shlex.join(flags({"checkpoint_minutes": preset.checkpoint_minutes, "max_minutes": preset.max_minutes}))


def uses_gpu(preset: Preset) -> bool:
    """Whether trainings use a GPU: `device` is cuda, or it is auto and there is one. No framework is imported."""
    return preset.device == "cuda" or (preset.device == "auto" and finds_gpu())


def describe_cells(path: str | Path) -> Iterator[str]:
    """One line for each cell and framework of a preset: its progress, and the command that trains or resumes it."""
    preset = load_preset(path)
    for experiment in preset.experiments:
        for cell, framework in itertools.product(cells(preset, experiment), preset.frameworks):
            command = train_command(preset, experiment, cell, framework)
            yield f"{_status(preset, experiment, cell, framework):<22} {command} --resume"


def _status(preset: Preset, experiment: str, cell: Mapping[str, Any], framework: str) -> str:
    folder = Path(result_directory(preset, experiment, cell, framework))
    try:
        record = json.loads((folder / "run.json").read_text())
        wanted = spec_class(experiment)(**cell).model_dump(mode="json"), seeds(preset, experiment, cell)
        if (record["spec"], record["seeds"]) != wanted:
            return "of other settings"
        partial = f"partial {record['iteration_reached']}/{record['iterations']}"
        return "complete" if record["status"] == "complete" else partial
    except FileNotFoundError:
        return "interrupted" if (folder / "checkpoint.npz").exists() else "missing"
    except (ValueError, KeyError):
        return "run.json is damaged"


def _block_problems(experiment: str, blocks: Any) -> list[str]:
    """Unknown and missing keys of an experiment's blocks; the models check the values."""
    if not isinstance(blocks, list) or not all(isinstance(block, Mapping) for block in blocks):
        return [f"{experiment}: must be a list of blocks, each with the keys cells and settings"]
    spec = spec_class(experiment)
    settings = [name for name in spec.model_fields if name not in spec.cell_fields]
    problems = []
    for number, block in enumerate(blocks):
        here = f"{experiment}[{number}]"
        problems += unknown_keys(block, Block.model_fields, here)
        for part, known, other, other_part in (
            ("cells", spec.cell_fields, settings, "settings"),
            ("settings", settings, spec.cell_fields, "cells"),
        ):
            content = block.get(part, {})
            if not isinstance(content, Mapping):
                problems.append(f"{here}.{part}: must be a mapping of keys to values")
                continue
            misplaced = [key for key in content if key in other]
            problems += [f"{here}.{part}: {key!r} belongs under {other_part}" for key in misplaced]
            rest = {key: value for key, value in content.items() if key not in misplaced}
            problems += unknown_keys(rest, known, f"{here}.{part}")
            if part == "cells":
                missing = [name for name in known if name not in content]
                problems += [f"{here}.cells: {name!r} is missing; give a list of its values" for name in missing]
    return problems


def unknown_keys(content: Mapping[str, Any], known: Iterable[str], where: str) -> list[str]:
    """One line for each unknown key, with the closest known one."""
    problems = []
    for key in content:
        if key in known:
            continue
        near = nearest(key, known)
        owners = [name for name in experiments() if key in spec_class(name).model_fields] if not where else []
        if owners:
            hint = f"it is a field of a cell; write it in a block of {' or '.join(owners)}, under cells or settings"
        elif near:
            hint = f"did you mean {near!r}?"
        else:
            hint = f"the keys are {', '.join(known)}"
        problems.append(f"{where + ': ' if where else ''}unknown key {key!r}; {hint}")
    return problems
