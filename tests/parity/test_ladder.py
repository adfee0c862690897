"""The parity ladder: PyTorch and JAX compute the same, in float64, for every registered experiment and method.

A new experiment needs no test of its own: its spec's `ladder()` lists the tiny cells that are run here. With
`pytest tests/parity --device cuda` all runs are on a GPU; `-k "fast_path and torch"` picks a rung and a framework.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from tests.support.harness import (
    DEVICE,
    FIRST_ROWS,
    FRAMEWORKS,
    IDS,
    ROWS,
    SEEDS,
    assert_same,
    inputs_of,
    iterate,
    on_host,
    runner,
)

STEPS = 20
LAUNCH = 4  # the same in all tests, because each further length would be compiled


def marks(n: int) -> list[pytest.MarkDecorator]:
    """With pytest-xdist, the tests of one row run in one process and share its compiled programs."""
    slow = [] if n in FIRST_ROWS else [pytest.mark.slow("compiles the cell in JAX; one cell of each twin is not slow")]
    return [pytest.mark.xdist_group(IDS[n]), *slow]


pytestmark = pytest.mark.parametrize(
    ("experiment", "spec"), [pytest.param(*row, id=IDS[n], marks=marks(n)) for n, row in enumerate(ROWS)]
)

shared = partial(runner, share=True, device=DEVICE)


def launch(run, seeds: list[int], first: int, last: int) -> None:
    """Iterations first..last-1 in one launch."""
    run.advance(inputs_of(run, seeds, first, last))


def test_same_data_and_initial_bytes(experiment, spec):
    """Rungs 1 and 2."""
    torch_run, jax_run = (shared(experiment, spec, framework) for framework in FRAMEWORKS)
    for split, data in torch_run.splits.items():
        for name, values in data.items():
            np.testing.assert_array_equal(on_host(values), on_host(jax_run.splits[split][name]))
    a, b = torch_run.leaves(), jax_run.leaves()
    assert set(a) == set(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_every_activation_gradient_and_parameter_over_20_steps(experiment, spec):
    """Rungs 3, 4 and 5: at each step the activations, all gradients, and the whole state after the update."""
    torch_run, jax_run = (shared(experiment, spec, framework) for framework in FRAMEWORKS)
    started = torch_run.leaves()
    for k in range(STEPS):
        inputs = inputs_of(torch_run, SEEDS, k, k + 1)
        where = f"{experiment} {spec.cell()} step {k}"
        assert_same(iterate(torch_run, inputs), iterate(jax_run, inputs), f"{where}, observed")
        assert_same(torch_run.leaves(), jax_run.leaves(), f"{where}, state after")
    moved = [name for name, value in torch_run.leaves().items() if not np.array_equal(value, started[name])]
    assert moved, "nothing was trained, so nothing was compared"
    if "test" in torch_run.splits:
        found = (run.evaluate("test", None) for run in (torch_run, jax_run))
        assert_same(*found, f"{experiment} {spec.cell()} evaluation")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_fast_path_equals_the_plain_loop(experiment, spec, framework):
    """Rung 6: launches of several steps, captured, against the step called in a bare loop."""
    fast, plain = shared(experiment, spec, framework, captures=True), shared(experiment, spec, framework)
    launch(fast, SEEDS, 0, LAUNCH)
    launch(fast, SEEDS, LAUNCH, 2 * LAUNCH)
    for k in range(2 * LAUNCH):
        iterate(plain, inputs_of(plain, SEEDS, k, k + 1))
    assert_same(fast.leaves(), plain.leaves(), f"{experiment} {spec.cell()} {framework}, fast against plain")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_one_replica_of_many_equals_the_single_run(experiment, spec, framework):
    """Rung 7: each seed trained alone gives what it gives among several."""
    together = shared(experiment, spec, framework)
    launch(together, SEEDS, 0, LAUNCH)
    for replica, seed in enumerate(SEEDS):
        single = shared(experiment, spec, framework, seeds=[seed])
        launch(single, [seed], 0, LAUNCH)
        own = {name: v[replica : replica + 1] if v.ndim else v for name, v in together.leaves().items()}
        assert_same(single.leaves(), own, f"{experiment} {spec.cell()} {framework}, seed {seed} alone")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_loaded_state_goes_on_with_the_same_bits(experiment, spec, framework):
    """`leaves` holds the whole state: training needs nothing else."""
    first = shared(experiment, spec, framework)
    launch(first, SEEDS, 0, LAUNCH)
    second = shared(experiment, spec, framework)
    second.load(first.leaves())
    for run in (first, second):
        launch(run, SEEDS, LAUNCH, 2 * LAUNCH)
    a, b = first.leaves(), second.leaves()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
