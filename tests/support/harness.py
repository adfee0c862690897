"""What the ladder's tests share: runners of both frameworks on one small data set, and the comparison of two trees."""

from __future__ import annotations

import gc
import importlib
import os
from functools import cache, partial

import jax
import numpy as np
import pytest
import torch

from impls.engine.spec import CellSpec
from impls.engine.state import Leaves, flatten, stack_replicas
from impls.registry import FRAMEWORKS, experiments, implementation, spec_class

TOLERANCE = 1e-8
FLOOR = 1e-4
SEEDS = [3, 8]
DEVICE = os.environ.get("DNI_TEST_DEVICE", "cpu")  # pytest's --device: where the ladder runs
EXAMPLES = 40

ROWS = [(experiment, spec) for experiment in experiments() for spec in spec_class(experiment).ladder()]
IDS = [
    f"{experiment}-{'-'.join(str(v) for v in spec.cell().values())}-{n}" for n, (experiment, spec) in enumerate(ROWS)
]
# The number of the first row of each twin: variants of an experiment share its implementation.
FIRST_ROWS = {implementation(experiment, "torch"): n for n, (experiment, _) in reversed([*enumerate(ROWS)])}.values()

framework_axis = pytest.mark.parametrize("framework", FRAMEWORKS)
jax_slow_axis = pytest.mark.parametrize(
    "framework", ["torch", pytest.param("jax", marks=pytest.mark.slow("compiles each cell in JAX"))]
)

__all__ = [
    "DEVICE",
    "EXAMPLES",
    "FIRST_ROWS",
    "FRAMEWORKS",
    "IDS",
    "ROWS",
    "SEEDS",
    "TOLERANCE",
    "assert_same",
    "forget_programs",
    "framework_axis",
    "inputs_of",
    "iterate",
    "jax_slow_axis",
    "observe",
    "on_host",
    "runner",
]


SHARED = {}  # compiled programs
SHAPES = {"mnist": (28, 28), "cifar10": (32, 32, 3)}


def splits(dataset: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Random images and labels in the data set's shapes; a third of the pixels are zero, as in real images.

    A random text for "ptb"; nothing for a task that is drawn from the seeds.
    """
    rng = np.random.default_rng(0)
    if dataset == "ptb":
        text = rng.integers(0, 50, EXAMPLES + 1).astype(np.uint8)
        return {"train": (text[:-1], text[1:]), "valid": (text[3:9], text[4:10]), "test": (text[:9], text[1:10])}
    if dataset not in SHAPES:
        return {}
    shape = (EXAMPLES, *SHAPES[dataset])
    images = rng.integers(0, 256, shape) * (rng.random(shape) > 1 / 3)
    labels = rng.integers(0, 10, EXAMPLES)
    return {
        "train": (images.astype(np.uint8), labels.astype(np.uint8)),
        "test": (images[:9].astype(np.uint8), labels[:9]),
    }


def runner(
    experiment: str,
    spec: CellSpec,
    framework: str,
    seeds: list[int] = SEEDS,
    precision: str = "fp64",
    share: bool = False,
    captures: bool = False,
    device: str = "cpu",
    compiles: bool | None = False,
):
    """A run of `spec`.

    Args:
        captures: capture PyTorch's step, which takes a second; JAX's is always compiled as a scan.
        compiles: compile PyTorch's captured step, which takes half a minute; None: as a run outside the tests does.
        share: use programs that other sharing runners have compiled; not where a test replaces functions.
    """
    run = importlib.import_module(f"impls.engine.{framework}_engine").Runner(
        implementation(experiment, framework),
        spec,
        stack_replicas([spec.initial_parameters(seed) for seed in seeds]),
        spec.splits(splits(spec.dataset)),
        precision=precision,
        device=device,
        steps_per_launch=50,
    )
    if framework == "torch":
        run.captures = captures
        run.compiles = run.compiles if compiles is None else compiles
    if share and framework == "jax":
        run.programs = SHARED.setdefault((experiment, spec, precision, device), run.programs)
    return run


def inputs_of(run, seeds: list[int], first: int, last: int) -> Leaves:
    """What iterations first..last-1 of a run consume."""
    return run.spec.step_inputs(seeds, len(run.train_data.get("labels", [])), first, last)


def observe(run, inputs: Leaves, *, compiled: bool = True) -> Leaves:
    """Activations and gradients of the iteration that `inputs` [1, ...] describes, without training."""
    function = partial(run.implementation.observe, run.spec)
    if compiled and _is_jax(run.implementation):
        function = _compiled(run.implementation, run.spec, run.precision)
    first = {name: run._array(value)[0] for name, value in inputs.items()}
    with _mode(run):
        found = function(run.state, run.train_data, first)
    return {name: on_host(value) for name, value in flatten(found).items()}


def iterate(run, inputs: Leaves) -> Leaves:
    """One call of the bare step on the iteration that `inputs` [1, ...] describes; returns what is seen before it."""
    first = {name: run._array(value)[0] for name, value in inputs.items()}
    if _is_jax(run.implementation):
        iteration = _compiled_iteration(run.implementation, run.spec, run.precision)
    else:
        iteration = partial(_iteration, run.implementation, run.spec)
    with torch.no_grad(), _mode(run):
        seen, run.state = iteration(run.state, run.train_data, first)
    return {name: on_host(value) for name, value in flatten(seen).items()}


def _mode(run):
    """The precision mode of a run, which its own methods choose by themselves."""
    return importlib.import_module(type(run).__module__).precision_mode(run.precision)


def on_host(value) -> np.ndarray:
    """An array of either framework, on any device, as a NumPy array."""
    return np.asarray(value.cpu() if isinstance(value, torch.Tensor) else value)


def _iteration(implementation, spec: CellSpec, state, data, inputs):
    seen = implementation.observe(spec, state, data, inputs)
    if spec.measures_batch:
        measured = implementation.measure(spec, state, data, inputs)
        seen = seen | {f"measured {name}": value for name, value in measured.items()}
    seen = {name: value + 0 for name, value in flatten(seen).items()}  # copies: PyTorch's step works in place
    return seen, implementation.step(spec, state, data, inputs)


@cache
def _compiled_iteration(implementation, spec: CellSpec, precision: str):
    """Observing and stepping in one program, which compiles in half the time of two programs. Call it in that mode."""
    return jax.jit(partial(_iteration, implementation, spec))


def _is_jax(implementation) -> bool:
    return implementation.__name__.endswith("jax_impl")


@cache
def _compiled(implementation, spec: CellSpec, precision: str):
    """One compilation for all steps of a cell in one mode: uncompiled, JAX would take most of the ladder's minute."""
    return jax.jit(partial(implementation.observe, spec))


def forget_programs() -> None:
    """Frees all compiled JAX programs. What needs one afterwards compiles it again."""
    SHARED.clear()
    for function in (_compiled, _compiled_iteration):
        getattr(function, "cache_clear", lambda: None)()  # a test may have replaced it by one without a cache
    jax.clear_caches()
    gc.unfreeze()
    gc.collect()


def assert_same(torch_leaves: Leaves, jax_leaves: Leaves, where: str, tolerance: float = TOLERANCE) -> None:
    """Every array equal within `tolerance` of its largest entry; a failure names the worst array and its error.

    For an array whose entries are all below FLOOR, `tolerance` is relative to FLOOR: some gradients are zero by
    symmetry (batch norm's input gradients sum to zero over the batch), so that only rounding errors are left.
    """
    assert list(torch_leaves) == list(jax_leaves) or set(torch_leaves) == set(jax_leaves), f"{where}: other names"
    errors = {}
    for name, a in torch_leaves.items():
        b = jax_leaves[name]
        assert a.shape == b.shape, f"{where}: {name} has shapes {a.shape} and {b.shape}"
        difference = np.abs(a - b).max(initial=0.0)
        errors[name] = 0.0 if difference == 0 else difference / max(np.abs(a).max(), FLOOR)
    worst = max(errors, key=errors.get)
    assert errors[worst] <= tolerance, f"{where}: {worst} differs by {errors[worst]:.2e} (allowed {tolerance:.0e})"
