"""The terminal output of a training: a progress bar with a headline, and single lines."""

from __future__ import annotations

import sys

from tqdm import tqdm

from impls.engine.curves import Curves
from impls.engine.options import Options
from impls.engine.spec import CellSpec


def progress_bar(options: Options, spec: CellSpec, iteration: int) -> tqdm:
    """A bar with the model-steps done, their rate and the time left. A log file gets fewer updates than a terminal."""
    return tqdm(
        total=options.replicas * spec.iterations,
        initial=options.replicas * iteration,
        desc=f"{options.framework} {' '.join(str(value) for value in spec.cell().values())}",
        unit=" model-steps",
        unit_scale=True,
        mininterval=0.5 if sys.stderr.isatty() else 20,
        dynamic_ncols=True,
    )


def headline(spec: CellSpec, curves: Curves, iteration: int) -> str:
    """The iteration, and the main metric of the experiment."""
    split, metric, unit = spec.headline
    return f"iteration {iteration}/{spec.iterations}, {split} {metric} {curves.last(split, metric):.2f}{unit}"


def say(message: str) -> None:
    """Print a line without disturbing the progress bar."""
    tqdm.write(message, file=sys.stderr)
