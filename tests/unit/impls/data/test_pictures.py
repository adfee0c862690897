"""The embedded stand-in for CIFAR-10: its pictures, the same bytes everywhere, and what a class can be told from."""

import hashlib

import numpy as np
import pytest

from impls.data import load, pictures

KNOWN_SHA256 = {
    "data_batch_1": "b561a69bd5e5e454c0c7a5f2560454bca2ae8fcaabd81a2913fab92be65d21f7",
    "data_batch_2": "a2f53e5b6c58f2f9eaba9ad4b0d5f2dae01c33394f69a7fcb23813ca213c8f7b",
    "data_batch_3": "28521222aed584faf9210323f1b2bacd750a2dee565c25bf73eed22211200f8f",
    "data_batch_4": "6e71d4e276d85f7e860e8dd9ae01de81dbde20a5d0ebd94aaedc2118cd62b743",
    "data_batch_5": "a711ee57b19988e09a2cae677d0e5f692aaada8c61d9fa60e9822dacd037563f",
    "test_batch": "dbcf48cc959dc5de055ec2a5d779cc3c732dec94911d64be0486cea3fb125d80",
}
SHAPE_RADIUS = 10 * pictures.PIXEL
PERIOD, PHASE = 8 * pictures.PIXEL, 0


@pytest.fixture(scope="module")
def dataset():
    return load("cifar10", source="embedded")


def test_it_says_what_it_is(dataset):
    assert (dataset.name, dataset.source) == ("cifar10", "stand-in")
    assert dataset.description == (
        "STAND-IN for CIFAR-10: drawn 32x32 colour pictures of ten shapes and patterns (2000 train, 500 test)"
    )


@pytest.mark.parametrize(("split", "count"), [("train", 2000), ("test", 500)])
def test_arrays(dataset, split, count):
    inputs, labels = dataset.splits[split].inputs, dataset.splits[split].labels
    assert inputs.shape == (count, 32, 32, 3) and labels.shape == (count,)
    for array in (inputs, labels):
        assert array.dtype == np.uint8 and array.flags.c_contiguous and not array.flags.writeable
    assert inputs.min() == 0 and inputs.max() == 255
    assert np.bincount(labels).tolist() == [count // 10] * 10
    assert all(len(set(labels[i : i + 100])) == 10 for i in range(0, count, 100))  # in random order


def test_known_bytes(dataset):
    assert dataset.files == KNOWN_SHA256
    train, test = dataset.splits["train"], dataset.splits["test"]
    parts = [(train.inputs[i : i + 400], train.labels[i : i + 400]) for i in range(0, 2000, 400)]
    parts.append((test.inputs, test.labels))
    computed = [hashlib.sha256(inputs.tobytes() + labels.tobytes()).hexdigest() for inputs, labels in parts]
    assert computed == list(KNOWN_SHA256.values())


def test_a_second_load_is_equal(dataset):
    assert load("cifar10").files == dataset.files


def test_no_picture_comes_twice(dataset):
    inputs = np.concatenate([part.inputs for part in dataset.splits.values()])
    assert len(np.unique(inputs.reshape(2500, -1), axis=0)) == 2500


def error_of_linear_classifier(dataset, features, penalty):
    """Test error in percent of a linear map to one-hot labels, by least squares with a penalty on its weights."""
    (a, b), (c, d) = (
        (features(part.inputs), part.labels) for part in (dataset.splits["train"], dataset.splits["test"])
    )
    mean, deviation = a.mean(axis=0), a.std(axis=0)
    a, c = (a - mean) / deviation, (c - mean) / deviation
    weights = a.T @ np.linalg.solve(a @ a.T + penalty * np.eye(len(a)), np.eye(10)[b] - 0.1)
    return 100 * np.mean((c @ weights).argmax(axis=1) != d)


def test_colours_do_not_give_the_class_away(dataset):
    def colours(inputs):
        pixels = inputs.reshape(len(inputs), -1, 3) / 255
        return np.concatenate([pixels.mean(axis=1), pixels.std(axis=1)], axis=1)

    assert error_of_linear_classifier(dataset, colours, 1.0) > 80  # guessing: 90


def test_a_linear_classifier_learns_something_and_not_enough(dataset):
    error = error_of_linear_classifier(dataset, lambda inputs: inputs.reshape(len(inputs), -1) / 255, 3000.0)
    assert 40 < error < 65


def at(kind, x, y):
    """The kind's value at points in pixels from the middle."""
    x, y = (np.asarray(part, np.int32) * pictures.PIXEL for part in (x, y))
    return kind(x, y, SHAPE_RADIUS) if kind in pictures.SHAPES else kind(x, y, PERIOD, PHASE)


# Points, in pixels from the middle and y down, in and out of a shape 10 pixels from its middle to its farthest point.
POINTS = {
    pictures.disc: ([(0, 0), (9, 0), (6, -6)], [(11, 0), (8, 8)]),
    pictures.ring: ([(8, 0), (0, -8), (5, 5)], [(0, 0), (4, 0), (11, 0)]),
    pictures.square: ([(0, 0), (8, 8), (-8, 8)], [(9, 0), (0, -9)]),
    pictures.triangle: ([(0, 0), (0, -9), (8, 5), (-8, 5)], [(0, 7), (8, -5), (-8, -5), (0, -11)]),
    pictures.cross: ([(0, 0), (9, 0), (0, 9), (-9, 2)], [(5, 5), (-5, 5), (11, 0)]),
}


@pytest.mark.parametrize("shape", pictures.SHAPES, ids=lambda shape: shape.__name__)
def test_shapes(shape):
    inside, outside = POINTS[shape]
    assert all(at(shape, *point) > 0 for point in inside)
    assert all(at(shape, *point) < 0 for point in outside)


def test_patterns():
    y, x = np.mgrid[-16:16, -16:16]
    across, down = at(pictures.vertical_stripes, x, y), at(pictures.horizontal_stripes, x, y)
    assert (across == across[0]).all() and (down == down[:, :1]).all() and (across == down.T).all()
    rising, falling = at(pictures.rising_stripes, x, y), at(pictures.falling_stripes, x, y)
    assert (rising[1:, :-1] == rising[:-1, 1:]).all()  # one down and one to the left: along a stripe
    assert (falling[1:, 1:] == falling[:-1, :-1]).all()
    checks = at(pictures.checks, x, y)
    off_edges = (across != 0) & (down != 0)
    assert ((checks > 0) == ((across > 0) == (down > 0)))[off_edges].all()
    for pattern in (across, down, rising, falling, checks):
        assert 0.4 < (pattern[pattern != 0] > 0).mean() < 0.6


def test_dice():
    dice = pictures.Dice(1)
    values = dice.whole(-3, 4, 2, 5000)
    assert values.dtype == np.int32 and values.shape == (2, 5000)
    assert (np.bincount(values.ravel() + 3) > 1000).all() and values.min() == -3 and values.max() == 4
    assert sorted(dice.shuffled(np.arange(100))) == list(range(100))
    noise = dice.noise(100, 100, 3)
    assert noise.shape == (100, 100, 3) and abs(noise.mean()) < 2 and 100 < noise.std() < 108
    assert (pictures.Dice(1).whole(-3, 4, 2, 5000) == values).all() and (dice.whole(-3, 4, 2, 5000) != values).any()


def test_paint_is_opaque_inside_absent_outside_and_mixed_at_the_edge():
    canvas = np.full((1, 1, 3, 3), 100 * pictures.PIXEL, np.int32)
    distance = np.array([[[-pictures.PIXEL, 0, pictures.PIXEL]]], np.int32)
    painted = pictures._painted(canvas, distance, np.array([[200, 0, 100]], np.int32)) / pictures.PIXEL
    assert painted[0, 0].tolist() == [[100, 100, 100], [150, 50, 100], [200, 0, 100]]


def test_a_drawn_object_is_lighter_than_its_ground():
    labels = np.zeros(200, np.uint8)  # discs, which cover the middle wherever they lie
    drawn = pictures.draw(labels, pictures.Dice(5)).astype(int).mean(axis=-1)
    assert (drawn[:, 14:18, 14:18].mean(axis=(1, 2)) > drawn[:, :3].mean(axis=(1, 2))).mean() > 0.9
