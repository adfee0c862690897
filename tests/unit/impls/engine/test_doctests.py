"""The examples in the docstrings run, and those of the two frameworks are the same."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = (
    "impls.errors",
    *("impls.experiments.unlocked.spec", "impls.workers.schedules", "impls.workers.start"),
    *(f"impls.engine.{name}" for name in ("jax_adam", "jax_ops", "randomness", "state", "torch_adam", "torch_ops")),
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name: str):
    failed, attempted = doctest.testmod(importlib.import_module(name))
    assert (failed, attempted > 0) == (0, True)


def examples(name: str) -> dict[str, str]:
    """By function, its examples, in which names of the framework are JAX's and Adam works in place."""
    found = doctest.DocTestFinder().find(importlib.import_module(f"impls.engine.{name}"), name="")
    code = {test.name: "".join(part.source + part.want for part in test.examples) for test in found if test.examples}
    same = (("torch.tensor", "jnp.array"), ("torch.", "jnp."), ("_, parameters = adam(", "adam("))
    for one, other in same:
        code = {function: text.replace(one, other) for function, text in code.items()}
    return code


@pytest.mark.parametrize("module", ["ops", "adam"])
def test_the_frameworks_have_the_same_examples(module: str):
    assert examples(f"torch_{module}") == examples(f"jax_{module}")
