"""Estimates how long jobs take: counted operations, divided by a rate measured on this machine.

The closest measurement is used: of the same cell, else of cells of similar size with the same method, data set and
model, and so on. Before anything was trained, the rate is a share of the speed of a matrix product. Rates include
evaluation, but not the start of a process and its compilation.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from impls.campaign.device import Device
from impls.campaign.job_list import Job
from impls.engine.memory import PROCESS_BYTES, estimated_bytes
from impls.engine.record import RunRecord, read_record
from impls.errors import UserError
from impls.registry import experiments, implementation_folder, spec_class
from impls.sources import ROOT

PUBLISHED = ROOT / "results" / "published"
SHARE_OF_LIMIT = {"cpu": 0.3, "cuda": 0.1}  # used without a measurement; shown as a guess
# How many leading parts of a job's kind and name a measurement must share, and the name of this basis; closest first.
BASES = ((6, "cell"), (5, "method"), (4, "data set"), (3, "model"), (1, "framework"))
LIKE_SIZE = 8.0  # ratio of sizes that count as similar; a smaller step reaches a smaller share of the limit


class Rate(NamedTuple):
    """Floating-point operations per second, and their basis: one of `BASES`, or a guess."""

    operations_per_second: float
    basis: str


class _Measured(NamedTuple):
    rate: float  # operations per second
    size: float  # operations per iteration


class Rates:
    """Rates measured on this device, from records and during the campaign."""

    def __init__(self, device: Device, threads: int, precision: str) -> None:
        self.device, self.threads, self.precision = device, threads, precision
        self.measured: dict[tuple[str, ...], _Measured] = {}  # by kind and cell
        self.memory: dict[tuple[str, ...], float] = {}  # kind and cell -> bytes per replica
        self.limits: dict[str, float] = {}

    def learn(self, job: Job, iterations: int, seconds: float) -> None:
        """Take over a measurement: `iterations` of a job took `seconds`."""
        if iterations > 0 and seconds > 0:
            size = job.operations_per_iteration
            self.measured[*job.kind, job.name] = _Measured(size * iterations / seconds, size)

    def read_records(self, folders: Iterable[Path]) -> list[str]:
        """Take over every run in the folders made on this device in this precision; returns what is damaged."""
        damaged = []
        for path in (path for folder in folders for path in sorted(folder.glob("**/run.json"))):
            try:
                record = read_record(path)
            except UserError as error:
                damaged.append(str(error))
                continue
            if record.experiment in experiments() and self._is_of_here(record):
                self._learn_record(record)
        return damaged

    def rate(self, job: Job) -> Rate:
        """The rate of the measurement that is closest to the job."""
        key = (*job.kind, job.name)
        for most in (LIKE_SIZE, math.inf):
            for shared, basis in BASES:
                alike = [
                    measured
                    for other, measured in self.measured.items()
                    if other[:shared] == key[:shared] and _ratio(measured.size, job.operations_per_iteration) <= most
                ]
                if alike:
                    return Rate(statistics.median(measured.rate for measured in alike), basis)
        return Rate(SHARE_OF_LIMIT[self.device.kind] * self._limit(job.framework), "guess")

    def seconds(self, job: Job, iterations: int) -> float:
        """Estimated seconds of `iterations` of a job."""
        return job.operations_per_iteration * iterations / self.rate(job).operations_per_second

    def peak_memory(self, job: Job) -> float:
        """Peak memory of a job in bytes: measured on the same cell, in proportion to its replicas, or estimated."""
        each = self.memory.get((*job.kind, job.name))
        return estimated_bytes(job.spec, job.replicas) if each is None else PROCESS_BYTES + each * job.replicas

    def _is_of_here(self, record: RunRecord) -> bool:
        device = record.device
        same = (device["kind"], device["name"], record.precision) == (*self.device[:2], self.precision)
        return same and (self.device.kind == "cuda" or device["threads"] == self.threads)

    def _learn_record(self, record: RunRecord) -> None:
        if not record.model_steps_per_second or not record.iteration_reached:
            return
        try:
            spec = spec_class(record.experiment)(**record.spec)
        except ValidationError:  # a record of an older version
            return
        model_steps = len(record.seeds) * record.iteration_reached
        seconds = model_steps / record.model_steps_per_second + record.evaluation_seconds
        parts = [record.spec[name] for name in ("model", "dataset", "method")]
        name = f"{record.experiment}/{spec.path()}/{record.framework}"
        key = (record.framework, implementation_folder(record.experiment), *parts, name)
        each = spec.operations_per_step()
        self.measured[key] = _Measured(each * model_steps / seconds, each * len(record.seeds))
        if self.device.kind == "cuda":  # on the CPU it is the whole process's, mostly the framework
            self.memory[key] = record.peak_memory_bytes / len(record.seeds)

    def _limit(self, framework: str) -> float:
        """Operations per second of a matrix product, measured once in a separate process."""
        if framework not in self.limits:
            words = ["benchmarks.roofline.machine_limits", framework, self.device.kind, str(self.threads)]
            done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True)
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise UserError(
                    f"{framework} cannot multiply matrices here ({last}): install it, or exclude it with --framework"
                )
            self.limits[framework] = float(done.stdout)
        return self.limits[framework]


def _ratio(a: float, b: float) -> float:
    """The ratio of the larger to the smaller."""
    return max(a, b) / min(a, b)
