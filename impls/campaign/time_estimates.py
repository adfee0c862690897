"""Estimates how long jobs take: counted operations, divided by a measured rate.

The closest measurement on this device is used: of the same cell, else of cells of similar size with the same method,
data set and model, and so on. Before anything was trained here, it is the closest of another device of its kind, and
if there is none, a constant. Rates include evaluation, but not the start of a process and its compilation.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
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
# Floating-point operations per second of a core, or of a GPU: a quarter of an A100's in float32. Shown as a guess.
GUESSED = {"cpu": 1.5e10, "cuda": 5e12}
# How many leading parts of a job's kind and name a measurement must share, and the name of this basis; closest first.
BASES = ((6, "cell"), (5, "method"), (4, "data set"), (3, "model"), (1, "framework"))
LIKE_SIZE = 8.0  # ratio of sizes that count as similar; a smaller step reaches a smaller share of the limit


class Rate(NamedTuple):
    """Floating-point operations per second, and their basis: one of `BASES`, another device, or a guess."""

    operations_per_second: float
    basis: str


class _Measured(NamedTuple):
    rate: float  # operations per second
    size: float  # operations per iteration


class Rates:
    """Rates measured on this device, from records and during the campaign, and on other devices of its kind."""

    def __init__(self, device: Device, threads: int, precision: str) -> None:
        self.device, self.threads, self.precision = device, threads, precision
        self.measured: dict[tuple[str, ...], _Measured] = {}  # by kind and cell
        self.measured_elsewhere: dict[tuple[str, ...], _Measured] = {}
        self.memory: dict[tuple[str, ...], float] = {}  # kind and cell -> bytes per replica

    def learn(self, job: Job, iterations: int, seconds: float) -> None:
        """Take over a measurement: `iterations` of a job took `seconds`."""
        if iterations > 0 and seconds > 0:
            size = job.operations_per_iteration
            self.measured[*job.kind, job.name] = _Measured(size * iterations / seconds, size)

    def read_records(self, folders: Iterable[Path]) -> list[str]:
        """Take over every run in the folders, made on such a device in this precision; returns what is damaged."""
        damaged = []
        for path in (path for folder in folders for path in sorted(folder.glob("**/run.json"))):
            try:
                record = read_record(path)
            except UserError as error:
                damaged.append(str(error))
                continue
            such = (record.device["kind"], record.precision) == (self.device.kind, self.precision)
            if such and record.experiment in experiments():
                self._learn_record(record)
        return damaged

    def rate(self, job: Job) -> Rate:
        """The rate of the measurement that is closest to the job."""
        if here := _closest(job, self.measured):
            return here
        if elsewhere := _closest(job, self.measured_elsewhere):
            return elsewhere._replace(basis="elsewhere")
        cores = self.threads if self.device.kind == "cpu" else 1
        return Rate(GUESSED[self.device.kind] * cores, "guess")

    def seconds(self, job: Job, iterations: int) -> float:
        """Estimated seconds of `iterations` of a job."""
        return job.operations_per_iteration * iterations / self.rate(job).operations_per_second

    def peak_memory(self, job: Job) -> float:
        """Peak memory of a job in bytes: measured on the same cell, in proportion to its replicas, or estimated."""
        each = self.memory.get((*job.kind, job.name))
        return estimated_bytes(job.spec, job.replicas) if each is None else PROCESS_BYTES + each * job.replicas

    def _is_of_here(self, record: RunRecord) -> bool:
        same = record.device["name"] == self.device.name
        return same and (self.device.kind == "cuda" or record.device["threads"] == self.threads)

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
        measured = self.measured if self._is_of_here(record) else self.measured_elsewhere
        measured[key] = _Measured(each * model_steps / seconds, each * len(record.seeds))
        if self.device.kind == "cuda":  # on the CPU it is the whole process's, mostly the framework
            self.memory[key] = record.peak_memory_bytes / len(record.seeds)


def _closest(job: Job, measured: Mapping[tuple[str, ...], _Measured]) -> Rate | None:
    """The rate of the measurements that are closest to a job, by kind and cell; None if there are none."""
    key = (*job.kind, job.name)
    for most in (LIKE_SIZE, math.inf):
        for shared, basis in BASES:
            alike = [
                other.rate
                for name, other in measured.items()
                if name[:shared] == key[:shared] and _ratio(other.size, job.operations_per_iteration) <= most
            ]
            if alike:
                return Rate(statistics.median(alike), basis)
    return None


def _ratio(a: float, b: float) -> float:
    """The ratio of the larger to the smaller."""
    return max(a, b) / min(a, b)
