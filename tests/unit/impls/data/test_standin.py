"""The embedded stand-in for MNIST: its shapes, its values, and the same bytes everywhere."""

import hashlib

import numpy as np
import pytest

from impls.data import load
from impls.data.dataset import Split
from impls.data.standin import enlarge

KNOWN_SHA256 = {
    "train-images-idx3-ubyte.gz": "7d63cb7ceb90d83ab74bb4712ffa14186c5bde5f4ad907ca4968ae11751f6bd0",
    "train-labels-idx1-ubyte.gz": "9f34b9e33a0c613c6b9cf79403acb5413d6cb2386f4bfbebd0585820301725c2",
    "t10k-images-idx3-ubyte.gz": "9d0157367d4fd1b1957cf32804f0040321a7cf7cdb0324a66bb5e74fa8a062aa",
    "t10k-labels-idx1-ubyte.gz": "b64377ee183c4e2f24e6b00b665fd8b8c723e8bb7d5ef3840a55b16b0b746319",
}


@pytest.fixture(scope="module")
def dataset():
    return load("mnist", source="embedded")


def test_it_says_what_it_is(dataset):
    assert (dataset.name, dataset.source) == ("mnist", "stand-in")
    assert (
        dataset.description == "STAND-IN for MNIST: scikit-learn's 8x8 digits enlarged to 28x28 (1500 train, 297 test)"
    )


@pytest.mark.parametrize(("split", "count"), [("train", 1500), ("test", 297)])
def test_arrays(dataset, split, count):
    inputs, labels = dataset.splits[split].inputs, dataset.splits[split].labels
    assert inputs.shape == (count, 28, 28) and labels.shape == (count,)
    for array in (inputs, labels):
        assert array.dtype == np.uint8 and array.flags.c_contiguous and not array.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert inputs.min() == 0 and inputs.max() == 255
    margin = np.ones((28, 28), bool)
    margin[2:26, 2:26] = False
    assert not inputs[:, margin].any()


def test_known_bytes(dataset):
    arrays = [array for split in dataset.splits.values() for array in (split.inputs, split.labels)]
    computed = [hashlib.sha256(array.tobytes()).hexdigest() for array in arrays]
    assert computed == list(KNOWN_SHA256.values())
    assert dataset.files == KNOWN_SHA256


def test_a_second_load_is_equal(dataset):
    again = load("mnist")
    assert again.files == dataset.files
    np.testing.assert_array_equal(again.splits["train"].inputs, dataset.splits["train"].inputs)


def test_both_splits_hold_all_classes_alike(dataset):
    counts = {split: np.bincount(part.labels, minlength=10) for split, part in dataset.splits.items()}
    expected = (counts["train"] + counts["test"]) * 297 / 1797
    assert np.abs(counts["test"] - expected).max() <= 1
    # In random order, so that a part of a split also holds all classes.
    assert all(len(set(part.labels[:100])) == 10 for part in dataset.splits.values())


def test_every_digit_is_in_exactly_one_split(dataset):
    from sklearn.datasets import load_digits

    digits = load_digits()
    expected = sorted(zip(map(bytes, enlarge(digits.images.astype(int))), digits.target, strict=True))
    found = [(bytes(i), j) for part in dataset.splits.values() for i, j in zip(part.inputs, part.labels, strict=True)]
    assert sorted(found) == expected


def test_enlargement():
    image = np.zeros((1, 8, 8), np.int64)
    image[0, 3, 5] = 16
    large = enlarge(image)[0].astype(int)
    # Old pixel (3, 5) has its centre at 2 + 3 * 3 + 1 = 12 and 2 + 3 * 5 + 1 = 18, and fades linearly over 3 pixels.
    assert large[12, 18] == 255
    assert large[12, 15:22].tolist() == [0, 85, 170, 255, 170, 85, 0]
    assert large[9:16, 18].tolist() == [0, 85, 170, 255, 170, 85, 0]
    np.testing.assert_array_equal(enlarge(np.full((1, 8, 8), 16))[0, 2:26, 2:26], 255)


def test_a_split_wants_as_many_labels_as_inputs():
    with pytest.raises(ValueError, match="2 inputs, but 3 labels"):
        Split(np.zeros((2, 4)), np.zeros(3))


def test_a_split_freezes_its_arrays_and_not_the_callers():
    given = np.arange(6).reshape(2, 3)
    split = Split(given.T, np.zeros(3))
    assert split.inputs.flags.c_contiguous and not split.inputs.flags.writeable
    np.testing.assert_array_equal(split.inputs, given.T)
    split = Split(given, np.zeros(2))
    assert not split.inputs.flags.writeable and given.flags.writeable
