"""What the workers of one start are to do: written by the process that starts them, read by each of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from impls.experiments.feedforward.spec import CLASSES, IMAGES
from impls.experiments.unlocked.spec import Spec

EXAMPLES = 10_000


@dataclass(frozen=True)
class Case:
    """One training by all workers.

    Attributes:
        fields: those of its spec.
        schedule: one of `schedules.SCHEDULES`.
        link_delay_ms: how long each message is held back.
    """

    fields: dict[str, Any]
    schedule: str
    link_delay_ms: float = 0.0

    @property
    def spec(self) -> Spec:
        return Spec(**self.fields)


def results_file(job_file: Path, case: int, worker: int) -> Path:
    """Where a worker writes what it found in a case: beside the job's file."""
    return job_file.with_name(f"case{case}_worker{worker}.npz")


@dataclass(frozen=True)
class Job:
    """Trainings that the same processes do one after the other.

    The examples are random, in the shapes of the data set, because the speed does not depend on what is learnt.

    Attributes:
        seeds: one per replica.
        threads: of each worker; one that trains alone has all cores.
        examples: how many there are.
    """

    cases: list[Case]
    batches: int
    seeds: list[int]
    precision: str = "fp32"
    threads: int = 1
    examples: int = EXAMPLES

    @classmethod
    def read(cls, path: Path) -> Self:
        content = json.loads(path.read_text())
        return cls(**content | {"cases": [Case(**case) for case in content["cases"]]})

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    def splits(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Training examples: inputs uint8 [n, rows, columns, channels] and labels uint8 [n]."""
        rng = np.random.default_rng(0)
        shape = (self.examples, *IMAGES[self.cases[0].spec.dataset])
        return {"train": (rng.integers(0, 256, shape, np.uint8), rng.integers(0, CLASSES, self.examples, np.uint8))}
