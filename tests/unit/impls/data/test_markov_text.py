"""The embedded stand-in for Penn Treebank: its entropy rate, which symbols predict which, the same bytes everywhere."""

import hashlib

import numpy as np
import pytest

from impls.data import load, ptb
from impls.data.markov_text import COUNTS, KEY, LETTERS, draw, entropies, letter_chances
from impls.data.pictures import Dice

KNOWN_SHA256 = {
    "ptb.train.txt": "e5e89f950b50cc1ddab3ffa2654c974a52657d4ed88a660f4fc5da55feb63b02",
    "ptb.valid.txt": "f98a93675c7e9a4d91990fdaf6aca176ede84d1f27daa0e93484dac18d53373f",
    "ptb.test.txt": "aec23341a521c23b7a52cb8e2974d2cb25521f94c46a7ca7fdf90f6420090d65",
}
SYMBOLS = 50
SAMPLE = 400_000


@pytest.fixture(scope="module")
def dataset():
    return load("ptb", source="embedded")


@pytest.fixture(scope="module")
def texts(dataset):
    return {split: np.append(part.inputs, part.labels[-1]) for split, part in dataset.splits.items()}


@pytest.fixture(scope="module")
def chances():
    return letter_chances(Dice(KEY))


@pytest.fixture(scope="module")
def probabilities(chances):
    """Of each symbol, by the case five places back and the symbol before: [2, 50, 50]."""
    return np.tile(chances / chances.sum(axis=-1, keepdims=True) / 2, (1, 2, 2))


@pytest.fixture(scope="module")
def stationary(probabilities):
    """Of the last symbol and the cases of the four before it, by power iteration: [50, 2, 2, 2, 2], latest first."""
    # c case and l letter of the last symbol, o to r the cases before it, x the next symbol
    step = probabilities.reshape(2, 2, LETTERS, SYMBOLS)
    state = np.full((SYMBOLS, 2, 2, 2, 2), 1 / (SYMBOLS * 16))
    for _ in range(300):
        before, state = state, np.einsum("clopqr,rclx->xcopq", state.reshape(2, LETTERS, 2, 2, 2, 2), step)
    np.testing.assert_allclose(state, before, rtol=1e-12)
    return state


@pytest.fixture(scope="module")
def sample(chances):
    return draw(chances, SAMPLE, Dice(7))


def entropy(probabilities):
    logarithms = np.log2(probabilities, where=probabilities > 0, out=np.zeros_like(probabilities))
    return -(probabilities * logarithms).sum(axis=-1)


def counted_entropy(contexts, symbols):
    """Mean bits of a symbol under the frequencies of the symbols in its context."""
    counts = np.bincount(contexts * SYMBOLS + symbols, minlength=(contexts.max() + 1) * SYMBOLS).reshape(-1, SYMBOLS)
    totals = counts.sum(axis=-1)
    return (totals / totals.sum()) @ entropy(counts / np.maximum(totals, 1)[:, None])


def test_it_says_what_it_is(dataset):
    assert (dataset.name, dataset.source) == ("ptb", "stand-in")
    assert dataset.description == (
        "STAND-IN for Penn Treebank: this suite's Markov source of 50 symbols, entropy rate 2.351 bits per character "
        "(200000 train, 20000 valid, 20000 test)"
    )
    assert dataset.facts == dataset.manifest()["facts"] == entropies()


@pytest.mark.parametrize(("split", "count"), COUNTS.items())
def test_arrays(dataset, split, count):
    inputs, labels = dataset.splits[split].inputs, dataset.splits[split].labels
    assert inputs.shape == labels.shape == (count - 1,) and (inputs[1:] == labels[:-1]).all()
    for array in (inputs, labels):
        assert array.dtype == np.uint8 and array.flags.c_contiguous and not array.flags.writeable
        assert np.unique(array).tolist() == list(range(len(ptb.VOCABULARY)))


def test_known_bytes(dataset, texts):
    assert {f"ptb.{split}.txt": hashlib.sha256(text.tobytes()).hexdigest() for split, text in texts.items()} == (
        KNOWN_SHA256
    )
    assert dataset.files == KNOWN_SHA256


def test_a_second_load_is_equal(dataset):
    assert load("ptb").files == dataset.files


def test_no_part_of_a_split_is_in_another(texts):
    # 30 symbols in a row are far too many to be equal by chance.
    windows = {split: {text[i : i + 30].tobytes() for i in range(len(text) - 29)} for split, text in texts.items()}
    assert not windows["train"] & windows["valid"]
    assert not windows["train"] & windows["test"]
    assert not windows["valid"] & windows["test"]


def test_few_letters_follow_and_one_of_them_mostly(chances):
    assert chances.shape == (2, LETTERS, LETTERS) and (chances.sum(axis=-1) == 256).all()
    assert ((chances > 0).sum(axis=-1) == 6).all()
    assert (chances.max(axis=-1) == 180).all()
    # Of the 3 letters of the kind announced, 15 times as many as of the other.
    assert (chances[0, :, 0::2].sum(axis=-1) == 240).all() and (chances[1, :, 1::2].sum(axis=-1) == 240).all()


def test_the_entropies_are_those_of_the_chain(probabilities, stationary):
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1)
    assert stationary.sum() == pytest.approx(1) and stationary.min() > 0
    joint = stationary.sum(axis=(1, 2, 3)).T  # [case five places back, symbol before]
    rate = (joint * entropy(probabilities)).sum()
    mixed = (joint[..., None] * probabilities).sum(axis=0) / joint.sum(axis=0)[:, None]
    assert entropies() == pytest.approx(
        {"entropy_rate": rate, "entropy_rate_previous_symbol": joint.sum(axis=0) @ entropy(mixed)}
    )


def test_the_entropy_rate_is_in_reach_and_worth_reaching():
    rate, previous = entropies().values()
    assert 2 < rate < 2.6 and previous > rate + 0.2


def test_the_case_five_places_back_shows_in_nothing_nearer(stationary):
    np.testing.assert_allclose(stationary[..., 0], stationary[..., 1])


@pytest.mark.parametrize("distance", [1, 2, 3, 4, 5, 6])
def test_only_the_case_five_places_back_tells_something(sample, distance):
    """On a long text, by counting. The frequencies' own errors take about 0.002 bits off."""
    places = np.arange(6, SAMPLE)
    contexts = sample[places - 1].astype(int) * 2 + sample[places - distance] // LETTERS
    expected = entropies()["entropy_rate" if distance == 5 else "entropy_rate_previous_symbol"]
    assert counted_entropy(contexts, sample[places]) == pytest.approx(expected, abs=0.01)


def test_four_symbols_tell_no_more_than_one(sample):
    places = np.arange(6, SAMPLE)
    cases = sum((sample[places - distance] // LETTERS).astype(int) << (distance - 1) for distance in range(1, 5))
    contexts = sample[places - 1].astype(int) * 16 + cases
    expected = entropies()["entropy_rate_previous_symbol"]
    assert counted_entropy(contexts, sample[places]) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("split", "error"), [("train", 0.01), ("valid", 0.04), ("test", 0.04)])
def test_each_split_is_drawn_from_the_source(texts, probabilities, stationary, split, error):
    text = texts[split]
    loss = -np.log2(probabilities[text[:-5] // LETTERS, text[4:-1], text[5:]])
    assert loss.mean() == pytest.approx(entropies()["entropy_rate"], abs=error)
    frequencies = np.bincount(text, minlength=SYMBOLS) / len(text)
    np.testing.assert_allclose(frequencies, stationary.sum(axis=(1, 2, 3, 4)), atol=error)


def test_a_draw_follows_its_dice(chances):
    first, again, other = (draw(chances, 1000, Dice(key)) for key in (3, 3, 4))
    assert first.dtype == np.uint8 and (first == again).all() and (first != other).any()
