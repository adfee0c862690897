"""Experiments are found by their folder, `impls/experiments/<name>/`: spec.py, torch_impl.py, jax_impl.py are enough.

A variant of another experiment has a spec.py only, and its `Spec.twins` names the other experiment.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import cast

from impls.engine.contract import Twin
from impls.engine.spec import CellSpec
from impls.errors import unknown

FRAMEWORKS = ("torch", "jax")
FOLDER = Path(__file__).parent / "experiments"


def experiments() -> list[str]:
    """Names of all experiments, sorted."""
    return sorted(path.parent.name for path in FOLDER.glob("*/spec.py"))


def spec_class(experiment: str) -> type[CellSpec]:
    """The class `Spec` of an experiment; raises `UserError` for an unknown one."""
    if experiment not in experiments():
        raise unknown("experiment", experiment, experiments())
    return importlib.import_module(f"impls.experiments.{experiment}.spec").Spec


def implementation_folder(experiment: str) -> str:
    """The folder whose twins run an experiment: its own, or that of the experiment it is a variant of."""
    return spec_class(experiment).twins or experiment


def implementation(experiment: str, framework: str) -> Twin:
    """The twin of an experiment that is written in `framework` ("torch" or "jax")."""
    module = f"impls.experiments.{implementation_folder(experiment)}.{framework}_impl"
    return cast(Twin, importlib.import_module(module))
