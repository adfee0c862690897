"""Options for running a cell, apart from what it computes. Each is a flag of the command line."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from impls.engine.spec import CellSpec
from impls.fields import ClosedModel, FirstSeed, GivenPath, Precision, PresetName, Processes, Replicas
from impls.sources import portable


class Options(ClosedModel):
    """How to run a cell."""

    framework: Literal["torch", "jax"] = Field(description="the implementation to run")
    replicas: Replicas = Field(1, description="nets trained at once, each with its own seed")
    first_seed: FirstSeed = Field(0, description="seed of the first replica; the others count up from it")
    data: Literal["embedded", "original"] = Field(
        "embedded", description="embedded: the stand-in, without a network; original: from $DNI_DATA_DIR, or downloaded"
    )
    precision: Precision = Field(
        "fp32",
        description="fp32: true float32 in both frameworks; tf32: on a GPU, products in TF32; bf16: factors of matrix "
        "products and convolutions in bfloat16, parameters and Adam in float32",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU if the framework finds one")
    threads: Processes | None = Field(None, description="CPU threads; not given: all cores that this process may use")
    preset: PresetName = Field("cli", description="name of the preset, for the record")
    output: GivenPath | None = Field(None, description="folder of curves and record; not given: in results/<preset>/")
    resume: bool = Field(False, description="resume from the checkpoint in the output folder, if there is one")
    max_minutes: PositiveFloat | None = Field(None, description="stop at a checkpoint after this many minutes")
    checkpoint_minutes: NonNegativeFloat = Field(5.0, description="minutes between checkpoints; 0: at every launch")

    @property
    def seeds(self) -> list[int]:
        """One seed per replica."""
        return list(range(self.first_seed, self.first_seed + self.replicas))


def flags(values: Mapping[str, Any]) -> list[str]:
    """Command-line words that give these values. A value of None ("not given") is left out."""
    words: list[str] = []
    for name, value in values.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            words += [f"--{flag}", *(map(str, value) if isinstance(value, list | tuple) else [str(value)])]
    return words


def train_command(experiment: str, spec: CellSpec, options: Options) -> str:
    """The shell command that trains this cell with these options; fields at their default are left out."""
    given = {name: getattr(options, name) for name in options.model_fields_set if name != "resume" or options.resume}
    if options.output is not None:
        given["output"] = portable(options.output)
    given |= {name: getattr(spec, name) for name in spec.model_fields_set}
    ordered = {name: given[name] for name in (*Options.model_fields, *type(spec).model_fields) if name in given}
    return shlex.join(["python", "-m", "impls", "train", experiment, *flags(ordered)])


def cell_folder(experiment: str, spec: CellSpec, options: Options) -> Path:
    """results/<preset>/<experiment>/<cell>/<framework>."""
    return Path("results", options.preset, experiment, spec.path(), options.framework)
