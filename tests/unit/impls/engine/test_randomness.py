"""The random numbers: accessible in any order, each example once per epoch, the same for ever."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impls.engine.randomness import batch_indices, generator, integers_per_iteration
from impls.experiments.feedforward.spec import Spec


@given(examples=st.integers(1, 50), batch_size=st.integers(1, 20), first=st.integers(0, 30), steps=st.integers(1, 30))
def test_any_stretch_of_the_order_is_that_part_of_the_whole(examples, batch_size, first, steps):
    whole = batch_indices(7, examples, batch_size, 0, first + steps)
    np.testing.assert_array_equal(batch_indices(7, examples, batch_size, first, first + steps), whole[first:])


@given(examples=st.integers(1, 50), batch_size=st.integers(1, 20))
def test_every_epoch_visits_every_example_once(examples, batch_size):
    epochs = batch_indices(3, examples, batch_size, 0, 3 * examples).reshape(-1)[: 3 * examples].reshape(3, examples)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.broadcast_to(np.arange(examples), (3, examples)))


@given(below=st.integers(1, 300), cut=st.integers(990, 1010), width=st.integers(1, 4))
def test_integers_of_an_iteration_are_the_same_in_every_stretch(below, cut, width):
    """They never reach their bound."""
    whole = integers_per_iteration(7, "digits", below, (2, width), 985, 1015)
    assert whole.shape == (30, 2, width)
    assert whole.dtype == np.int32
    assert whole.min() >= 0
    assert whole.max() < below
    parts = [integers_per_iteration(7, "digits", below, (2, width), *ends) for ends in ((985, cut), (cut, 1015))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_integers_are_uniform_and_differ_by_seed_purpose_and_iteration():
    drawn = integers_per_iteration(0, "digits", 10, (50,), 0, 2000)
    expected = drawn.size / 10
    assert (abs(np.bincount(drawn.reshape(-1), minlength=10) - expected) < 5 * np.sqrt(expected)).all()
    others = [(1, "digits", 0), (0, "other", 0), (0, "digits", 1000)]
    for seed, purpose, first in others:
        apart = integers_per_iteration(seed, purpose, 10, (50,), first, first + 1000)
        assert (apart == drawn[:1000]).mean() < 0.12


def test_seeds_purposes_and_streams_are_apart():
    draws = [generator(*key).random(4).tolist() for key in ((0, "init"), (1, "init"), (0, "order"), (0, "init", 1))]
    assert len({tuple(draw) for draw in draws}) == 4


def test_the_bytes_are_pinned():
    """A NumPy release that draws other numbers would make old and new records incomparable: it must show here."""
    parameters = Spec(method="dni").initial_parameters(0)
    digest = hashlib.sha256(b"".join(value.tobytes() for value in parameters.values()))
    digest.update(Spec().step_inputs([0, 1], 60_000, 200, 300)["indices"].tobytes())
    assert digest.hexdigest()[:16] == "cf623801a12bb41f"


def test_the_learning_rate_drops_by_ten_twice():
    rates = [
        Spec().step_inputs([0], 300, k, k + 1)["learning_rate"][0] for k in (0, 299_999, 300_000, 399_999, 400_000)
    ]
    assert rates == pytest.approx([3e-5, 3e-5, 3e-6, 3e-6, 3e-7])


def test_what_is_kept_is_what_is_drawn_and_cannot_be_written_to():
    """Two runs that take turns at different iterations each see the same as alone."""
    alone = [integers_per_iteration(5, "digits", 10, (3,), first, first + 20).copy() for first in (0, 1990, 0)]
    for first, expected in zip((0, 1990, 0), alone, strict=True):
        integers_per_iteration(5, "digits", 7, (3,), 0, 20)  # another bound is another stream
        integers_per_iteration(6, "digits", 10, (3,), first + 1000, first + 1020)
        found = integers_per_iteration(5, "digits", 10, (3,), first, first + 20)
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="read-only"):
        integers_per_iteration(5, "digits", 10, (3,), 0, 20)[0] = 1
