"""Real workers against the schedule in one process: the same parameters after a hundred batches."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from impls.engine.machine import usable_cpus
from impls.engine.state import stack_replicas
from impls.experiments.unlocked.spec import Spec
from impls.registry import implementation
from impls.workers import jax_run, start, torch_run
from impls.workers.job import Case, Job
from tests.support.harness import SEEDS

BATCHES, EXACT = 100, 1e-12
EXAMPLES = 40


def case(**fields) -> Case:
    spec = Spec.tiny(learning_rate=1e-3, **fields)  # a larger one would also enlarge differences in rounding
    schedule = {"bprop": "locked", "delayed": "delayed"}.get(spec.method, "unlocked")
    return Case(spec.model_dump(exclude_unset=True), schedule)


def job(*cases: Case) -> Job:
    return Job(list(cases), BATCHES, SEEDS, precision="fp64", examples=EXAMPLES)


def emulated(job: Job, spec: Spec, framework: str) -> dict[str, np.ndarray]:
    """The parameters after as many iterations in one process."""
    run = importlib.import_module(f"impls.engine.{framework}_engine").Runner(
        implementation("unlocked", framework),
        spec,
        stack_replicas([spec.initial_parameters(seed) for seed in job.seeds]),
        job.splits(),
        precision="fp64",
        device="cpu",
        steps_per_launch=BATCHES,
    )
    run.advance(spec.step_inputs(job.seeds, job.examples, 0, BATCHES))
    return {name: value for name, value in run.leaves().items() if name.startswith("parameters.")}


def assert_equal(found: dict, expected: dict) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=EXACT, atol=EXACT, err_msg=name)


@pytest.mark.slow("starts PyTorch in several processes")
@pytest.mark.parametrize(
    "cases",
    [
        [case(method="cdni", workers=2), case(method="bprop", workers=2)],
        [case(method="dni", workers=3, link_delay=1, residual="stored"), case(method="delayed", workers=3)],
    ],
    ids=["two-workers", "three-workers"],
)
def test_processes_of_pytorch(cases):
    """The second training of the same processes must not get messages of the first."""
    wanted = job(*cases)
    results = torch_run.run(wanted, cases[0].spec.workers)
    for one, (ends, found) in zip(cases, results, strict=True):
        assert_equal(found, emulated(wanted, one.spec, "torch"))
        assert all(len(own) == BATCHES and (np.diff(own) > 0).all() for own in ends)


@pytest.mark.slow("starts JAX with several devices")
def test_devices_of_jax():
    cases = [case(method="cdni", workers=2), case(method="dni", workers=3, link_delay=1, residual="stored")]
    wanted = job(*cases)
    for one, found in zip(cases, jax_run.run(wanted), strict=True):
        assert_equal(found, emulated(wanted, one.spec, "jax"))


@pytest.mark.slow("starts JAX in several processes")
def test_processes_of_jax():
    """Each has one of the devices, and `jax.distributed` joins them, as on several machines."""
    cases = [case(method="cdni", workers=2), case(method="dni", workers=2, link_delay=1)]
    wanted = job(*cases)
    for one, found in zip(cases, jax_run.run(wanted, processes=2), strict=True):
        assert_equal(found, emulated(wanted, one.spec, "jax"))


@pytest.mark.slow("starts PyTorch in several processes")
def test_every_schedule_trains(monkeypatch):
    """The libraries of PyTorch, too: the weights of the whole net have moved, by about Adam's step for each batch.

    With MKL_NUM_THREADS, as Snakemake sets it: PyTorch prefers it to OMP_NUM_THREADS, and two workers with two threads
    each are four times slower on two cores.
    """
    threads, read = [], start.read_arrays

    def noting(path):
        arrays, facts = read(path)
        threads.append(facts["threads"])
        return arrays, facts

    monkeypatch.setattr(start, "read_arrays", noting)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    fields = {"depth": 4, "hidden_units": 8, "batch_size": 16, "workers": 2, "learning_rate": 1e-3}
    schedules = {"one_process": "bprop", "gpipe": "bprop", "1f1b": "bprop", "data_parallel": "bprop"}
    cases = [
        Case(fields | {"method": method}, schedule, link)
        for schedule, method in schedules.items()
        for link in ((0.0,) if schedule == "one_process" else (0.0, 20.0))
    ]
    wanted = Job(cases, 25, [0], examples=EXAMPLES)
    before = stack_replicas([cases[0].spec.initial_parameters(0)])
    for one, (ends, found) in zip(cases, torch_run.run(wanted, 2), strict=True):
        assert {name.removeprefix("parameters.") for name in found} == set(before), one.schedule
        for name, value in found.items():
            moved = np.abs(value - before[name.removeprefix("parameters.")]).max()
            assert 1e-3 < moved < 0.1, (one.schedule, name, moved)
        if one.link_delay_ms:
            least = {"gpipe": 2, "1f1b": 2, "data_parallel": 1}[one.schedule] * one.link_delay_ms / 1000
            assert np.median(np.diff(ends[0])) >= least, one.schedule
    assert threads == [usable_cpus()] * 2 + [1] * 2 * (len(cases) - 1), "one process has all cores"
