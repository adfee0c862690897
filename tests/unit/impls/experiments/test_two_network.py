"""Two networks at two rates: inputs and labels, initial parameters, and that B learns from messages alone."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from pydantic import ValidationError
from torch.utils.flop_counter import FlopCounterMode

from impls.data import load
from impls.engine import jax_engine
from impls.engine.spec import Examples
from impls.experiments.two_network.spec import Spec
from impls.registry import implementation
from tests.support.harness import SEEDS, framework_axis, inputs_of, runner

method_axis = pytest.mark.parametrize("method", ["bprop", "dni", "no_bprop"])


def tagged() -> dict[str, Examples]:
    """Images whose every pixel is the image's number: 30 training images from 0 on, and 20 test images from 100 on."""
    found = {}
    for split, first, count in (("train", 0, 30), ("test", 100, 20)):
        number = np.arange(first, first + count)
        images = np.broadcast_to(number[:, None, None], (count, 28, 28)).astype(np.uint8)
        found[split] = images, (number * 7 % 10).astype(np.uint8)
    return found


@framework_axis
def test_the_counts_are_those_of_a_stream_read_by_hand(framework):
    run = runner("two_network", Spec.tiny(method="no_bprop"), framework)
    # Two streams of two windows of three digits: the first replica's, and the other's.
    streams = [[[[3, 3, 5], [0, 2, 4]], [[3, 8, 1], [9, 7, 5]]], [[[0, 0, 0], [6, 8, 3]], [[1, 3, 3], [3, 3, 3]]]]
    labels_RPTB = np.moveaxis(np.array(streams), 1, 3)
    labels_RPTB = run._array(labels_RPTB.astype(np.int32))
    odd_RPB, threes_RB = run.implementation.counts(labels_RPTB)
    np.testing.assert_array_equal(np.moveaxis(np.asarray(odd_RPB), 2, 1), [[[3, 0], [2, 3]], [[0, 1], [3, 3]]])
    np.testing.assert_array_equal(np.asarray(threes_RB), [[2, 1], [1, 5]])


@pytest.mark.parametrize("period", [2, 3])
def test_step_inputs_do_not_depend_on_how_a_run_is_cut(period):
    """They are indices of training digits."""
    spec = Spec.tiny(period=period)
    whole = spec.step_inputs(SEEDS, 40, 990, 1010)
    digits = whole["digits"]
    assert digits.shape == (20, len(SEEDS), period, period, spec.batch_size)
    assert digits.dtype == np.int32
    assert set(np.unique(digits)) == set(range(40)), "every training digit is drawn, and nothing else"
    np.testing.assert_array_equal(whole["learning_rate"], np.full(20, spec.learning_rate))
    parts = [spec.step_inputs(SEEDS, 40, *ends) for ends in ((990, 993), (993, 1001), (1001, 1010))]
    for name, value in whole.items():
        np.testing.assert_array_equal(value, np.concatenate([part[name] for part in parts]), err_msg=name)
    np.testing.assert_array_equal(digits[:, 1:], spec.step_inputs(SEEDS[1:], 40, 990, 1010)["digits"])
    assert (digits[:, 0] == digits[:, 1]).mean() < 0.1, "two seeds read the same"
    assert (digits[:-1] == digits[1:]).mean() < 0.1, "two blocks hold the same"


def test_test_streams_hold_test_digits_with_their_labels():
    """The streams are the same for every method and in every run."""
    spec, data = Spec.tiny(period=3, evaluation_streams=50), tagged()
    found = spec.splits(data)
    assert found["train"] is data["train"]
    images, labels = found["test"]
    assert images.shape == (50, 9, 28, 28)
    assert labels.shape == (50, 9)
    numbers = images[..., 0, 0].astype(int)
    assert (images == images[..., :1, :1]).all()
    assert set(np.unique(numbers)) == set(range(100, 120)), "every test digit is drawn, and no training digit"
    np.testing.assert_array_equal(labels, numbers * 7 % 10)
    assert len(np.unique(numbers, axis=0)) == 50, "streams repeat"
    for again in (spec.splits(tagged()), Spec.tiny(method="bprop", period=3, evaluation_streams=50).splits(data)):
        for ours, theirs in zip(found["test"], again["test"], strict=True):
            np.testing.assert_array_equal(ours, theirs)


@method_axis
def test_networks_start_as_described(method):
    spec = Spec(method=method, hidden_units=40, message_units=30, synthetic_gradient_depth=2, core_scale=0.2)
    parameters = spec.initial_parameters(3)
    modules = {name.split(".")[0] for name in parameters}
    assert modules == {"a", "b"} | ({"synthetic_gradient"} if method == "dni" else set())
    # Inputs of every map; those that a core adds up share theirs.
    inputs = {"a.layer1": 784, "a.layer2": 40, "a.message": 40, "a.report": 40, "b.report": 40}
    inputs |= {"a.core.input": 80, "a.core.recurrent": 80, "b.core.input": 70, "b.core.recurrent": 70}
    inputs |= {"synthetic_gradient.layer1": 30, "synthetic_gradient.layer2": 40} if method == "dni" else {}
    weights = {n.removesuffix(".weight"): v for n, v in parameters.items() if n.endswith(".weight")}
    zero = {"synthetic_gradient.output"} if method == "dni" else set()
    assert set(weights) == set(inputs) | zero
    for name in zero:
        assert not weights[name].any(), "the first synthetic gradients are zero"
    for name, count in inputs.items():
        spread = weights[name].std() * np.sqrt(count)
        assert abs(spread - 1) < 4 / np.sqrt(2 * weights[name].size), name
    for name, value in parameters.items():
        if name.endswith(".scale"):
            np.testing.assert_array_equal(value, 0.2 if ".core." in name else 1.0, err_msg=name)
        if name in {f"{network}.core.input.shift" for network in "ab"}:
            np.testing.assert_array_equal(value, np.repeat([0.0, 1.0, 0.0, 0.0], 40), err_msg=name)
        elif name.endswith((".shift", ".bias")):
            assert not value.any(), name
    assert [parameters[f"{network}.report.bias"].size for network in "ab"] == [5, 17], "counts of 4 and of 16 digits"
    for name in weights:  # a bias before a batch norm would have no effect, nor would a second shift in the gates
        assert (f"{name}.bias" in parameters) == (f"{name}.scale" not in parameters), name
    assert not {f"{network}.core.recurrent.shift" for network in "ab"} & set(parameters)
    assert not np.array_equal(weights["a.layer1"], spec.initial_parameters(4)["a.layer1.weight"])


def test_the_methods_start_from_the_same_networks():
    several = [Spec.tiny(method=method).initial_parameters(5) for method in ("bprop", "dni", "no_bprop")]
    for name, value in several[0].items():
        for parameters in several[1:]:
            np.testing.assert_array_equal(parameters[name], value, err_msg=name)


@pytest.mark.parametrize(("method", "of_a"), [("bprop", 1), ("dni", 3), ("no_bprop", 3)])
def test_facts_are_those_counted_by_hand(method, of_a):
    images = np.zeros((8, 28, 28), np.uint8)
    data = {"train": (images, np.full(8, 3)), "test": (images, np.array([3, 3, 1, 0, 2, 4, 6, 8]))}
    facts = Spec.tiny(method=method, period=3).facts(data)
    # Of the test digits 3/8 are odd, a quarter are threes: likeliest 1 digit of 3 is odd, and 2 of 9 are threes.
    by_hand = {
        "digits_per_iteration": 9 * 6,
        "updates_of_a_per_iteration": of_a,
        "updates_of_b_per_iteration": 1,
        "constant_guess_error_a": 100 * (1 - 3 * 3 * 5**2 / 8**3),
        "constant_guess_error_b": 100 * (1 - comb(9, 2) * 3**7 / 4**9),
    }
    assert facts == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize(("method", "of_a"), [("bprop", 1), ("dni", 3), ("no_bprop", 3)])
def test_networks_are_updated_as_often_as_the_facts_say(method, of_a):
    run = runner("two_network", Spec.tiny(method=method, period=3), "torch")
    for k in range(2):
        run.advance(inputs_of(run, SEEDS, k, k + 1))
    counts = {name: float(value) for name, value in run.leaves().items() if name.endswith(".t")}
    model = {"adam_of_synthetic_gradient.t": 2.0} if method == "dni" else {}
    assert counts == {"adam_of_a.t": 2.0 * of_a, "adam_of_b.t": 2.0} | model


# Of the tiny cell: two windows of two digits; layers 784 x 5 and 5 x 5, cores with 4 x 5 gates, messages of 4 units,
# reports of 3 and of 5 counts. Each map's uses are forward, weights' gradient and the input's gradient.
LAYERS = 4 * 2 * (784 * 5) + 4 * 3 * (5 * 5)  # the gradient of the pixels is not needed
CORE_OF_A = 4 * 3 * (5 * 20) + 2 * 3 * (5 * 20)  # the first digit of a window has no state to project
REPORTS = 2 * 3 * (5 * 3) + 3 * (5 * 5)
TAUGHT = 2 * 3 * (5 * 4) + 2 * 3 * (4 * 20) + 1 * 3 * (5 * 20)  # messages, and B's core
UNTAUGHT = 2 * 1 * (5 * 4) + 2 * 2 * (4 * 20) + 1 * 3 * (5 * 20)  # no gradient of the messages
MODEL = 2 * 2 * (4 * 5) + 2 * 3 * (5 * 4)  # one hidden layer, whose input needs no gradient


@pytest.mark.parametrize(
    ("method", "multiply_adds"),
    [
        ("bprop", LAYERS + CORE_OF_A + REPORTS + TAUGHT),
        ("dni", LAYERS + CORE_OF_A + REPORTS + TAUGHT + MODEL),
        ("no_bprop", LAYERS + CORE_OF_A + REPORTS + UNTAUGHT),
    ],
)
def test_operations_are_those_counted_by_hand(method, multiply_adds):
    assert Spec.tiny(method=method).operations_per_step() == 2 * 6 * multiply_adds


def test_operations_of_joint_backprop_are_those_that_pytorch_counts():
    """For a step that computes nothing twice and nothing that is not needed."""
    spec = Spec.tiny(method="bprop", period=3)
    run = runner("two_network", spec, "torch")
    inputs = inputs_of(run, SEEDS, 0, 1)
    with FlopCounterMode(display=False) as counter:
        run.advance(inputs)
    assert counter.get_total_flops() == len(SEEDS) * spec.operations_per_step()


@pytest.mark.parametrize("fields", [{"period": 1}, {"perod": 4}, {"method": "dnni"}, {"dataset": "cifar10"}])
def test_what_makes_no_sense_is_refused(fields):
    with pytest.raises(ValidationError, match=next(iter(fields))):
        Spec(**fields)


MOVING, STILL, LAUNCH = 120, 120, 40  # iterations


@pytest.mark.slow("trains")
@pytest.mark.parametrize("messages", [True, False], ids=["messages", "no-messages"])
def test_b_learns_from_the_messages_alone(messages):
    """On the stand-in data, in JAX, which is faster here; the parity ladder says that PyTorch computes the same.

    Without messages B's error comes down to that of the best constant guess. Then the last iterations have a learning
    rate of zero, for the running statistics: all streams are alike, so every variance in B is zero, and normalising
    divides what a statistic lags behind by no more than the root of epsilon.
    """
    spec = Spec.tiny(
        method="bprop",
        hidden_units=16,
        message_units=8,
        batch_size=32,
        learning_rate=1e-2,
        messages=messages,
        evaluation_streams=2_000,
    )
    splits = {name: (split.inputs, split.labels) for name, split in load("mnist", "embedded").splits.items()}
    run = jax_engine.Runner(
        implementation("two_network", "jax"),
        spec,
        {name: value[None] for name, value in spec.initial_parameters(0).items()},
        spec.splits(splits),
        precision="fp32",
        device="cpu",
        steps_per_launch=LAUNCH,
    )
    for first in range(0, MOVING if messages else MOVING + STILL, LAUNCH):
        inputs = spec.step_inputs([0], len(splits["train"][1]), first, first + LAUNCH)
        run.advance(inputs | {"learning_rate": inputs["learning_rate"] * (first < MOVING)})
    found, guess = run.evaluate("test", None)["error_b"][0], spec.facts(splits)["constant_guess_error_b"]
    if messages:
        assert found < guess / 2
    else:
        deviation = np.sqrt(guess * (100 - guess) / spec.evaluation_streams)
        assert abs(found - guess) < 3 * deviation
