"""Blocks that wait for nothing, against references: workers that send messages, and three limits."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from impls.experiments.feedforward import spec as feedforward
from impls.experiments.unlocked import jax_impl
from impls.experiments.unlocked.spec import Spec
from tests.support.harness import EXAMPLES, SEEDS, jax_slow_axis
from tests.support.plain_net import EXACT, parameters_off_zero, plain_batch, run_with
from tests.support.plain_workers import train

STEPS = 9


def parameters_after(run, steps: int = STEPS) -> dict[str, np.ndarray]:
    """The parameters after some iterations, one launch each."""
    for k in range(steps):
        run.advance(run.spec.step_inputs(SEEDS, EXAMPLES, k, k + 1))
    return {n.removeprefix("parameters."): v for n, v in run.leaves().items() if n.startswith("parameters.")}


def assert_equal(found: dict, expected: dict) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=EXACT, atol=EXACT, err_msg=name)


@jax_slow_axis
@pytest.mark.parametrize(
    "fields",
    [
        {"method": "cdni"},
        {"method": "cdni", "workers": 4, "residual": "stored", "synthetic_gradient_depth": 1},
        {"method": "dni", "workers": 3, "link_delay": 1, "target_scale": "batch_mean"},
        {"method": "delayed", "workers": 3},
        {"method": "delayed", "workers": 2, "link_delay": 2},
    ],
    ids=lambda fields: "-".join(str(value) for value in fields.values()),
)
def test_one_process_computes_what_workers_with_messages_do(framework, fields):
    """In every case a message is used for the first time before the last iteration, and most come after it."""
    spec = Spec.tiny(**fields)
    parameters = parameters_off_zero(spec)
    run = run_with(spec, framework, parameters, experiment="unlocked")
    inputs = [spec.step_inputs(SEEDS, EXAMPLES, k, k + 1) for k in range(STEPS)]
    found = parameters_after(run)
    for replica in range(len(SEEDS)):
        expected = train(spec, parameters, replica, [plain_batch(run, each, replica) for each in inputs])
        assert_equal({name: value[replica] for name, value in found.items()}, expected)


@jax_slow_axis
@pytest.mark.parametrize(
    ("fields", "same"),
    [
        # One block has no cut.
        ({"method": "cdni", "workers": 1}, {"method": "bprop"}),
        # No message is late, so the true gradient is the one of this batch.
        ({"method": "delayed", "link_delay": -1, "workers": 3}, {"method": "bprop"}),
        ({"method": "bprop", "workers": 3}, {"method": "bprop"}),
        # No message is late, and every layer is a block: M learns from this batch, as in the every-layer DNI.
        ({"method": "cdni", "link_delay": -1, "workers": 4}, {"method": "cdni"}),
        ({"method": "dni", "link_delay": -1, "workers": 2}, {"method": "dni", "cut_after": 1}),
    ],
    ids=["one-block", "delayed-in-time", "bprop", "every-layer", "one-cut"],
)
def test_limits_that_are_the_feed_forward_experiment(framework, fields, same):
    spec, other = Spec.tiny(**fields), feedforward.Spec.tiny(**same)
    parameters = parameters_off_zero(other)
    found = parameters_after(run_with(spec, framework, parameters, experiment="unlocked"))
    assert_equal(found, parameters_after(run_with(other, framework, parameters)))


def test_jax_updates_a_delay_line_in_place():
    """A copy of the whole line in each step took longer than the step, with many ticks of delay."""

    def step(carry, t):
        line, x = carry
        oldest, line = jax_impl.exchange(line, t % 9, {"h": x})
        return (line, x + jnp.tanh(oldest["h"])), None

    line, x = jax_impl.delay_line({"h": jnp.zeros((5, 7))}, 8), jnp.ones((5, 7))
    program = jax.jit(lambda line, x: lax.scan(step, (line, x), jnp.arange(20))[0], donate_argnums=(0, 1))
    text = program.lower(line, x).compile().as_text()
    lines = [line for line in text.splitlines() if "[5,9,7]" in line]
    assert lines and not [line for line in lines if " copy(" in line]


def test_three_ticks_of_two_workers():
    """By hand: what is used in each tick, for the link's delay 0. Worker 1 is one batch behind worker 0.

    tick 0   worker 0 runs batch 0
    tick 1   worker 0 runs batch 1; worker 1 runs batch 0 and sends its gradient down
    tick 2   worker 0 runs batch 2, and its M learns the gradient of batch 0; worker 1 runs batch 1
    """
    spec = Spec.tiny(method="cdni")
    assert spec.delays == (2, 0)
    inputs = spec.step_inputs(SEEDS, EXAMPLES, 0, 3)
    assert inputs["arrived"][:, 0].tolist() == [False, False, True]
    assert inputs["slot"][:, 0].tolist() == [0, 1, 2]
    assert inputs["arrived"][:, 1].all()


def test_a_true_gradient_is_later_the_lower_the_block():
    assert Spec(method="delayed", workers=4).delays == (6, 4, 2, 0)
    assert Spec(method="delayed", workers=4, link_delay=1).delays == (12, 8, 4, 0)
    assert Spec(method="cdni", workers=4, link_delay=1).delays == (4, 4, 4, 0)
    assert Spec(method="bprop", workers=4, link_delay=1).delays == (0, 0, 0, 0)


def test_the_busiest_block_has_as_little_as_possible():
    """The lowest layer has 784 inputs, as many as three others, and needs no gradient of its input."""
    assert Spec(depth=6, workers=2).blocks == ((1, 2), (3, 4, 5, 6))
    assert Spec(depth=4, workers=4).blocks == ((1,), (2,), (3,), (4,))


@pytest.mark.parametrize("fields", [{"workers": 7}, {"cut_after": 1}, {"bp_lambda": 0.5}, {"link_delay": -2}])
def test_what_makes_no_sense_is_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        Spec(**({"method": "cdni"} | fields))
