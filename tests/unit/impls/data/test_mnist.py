"""MNIST from its original files, on tiny ones written here and, where $DNI_DATA_DIR is set, on the real ones."""

import gzip
import hashlib
import os
import struct
from urllib.parse import urlparse

import numpy as np
import pytest

from impls.data import load, mnist, names
from impls.errors import UserError

COUNTS = {"train": 5, "test": 3}
PREFIXES = {"train": "train", "test": "t10k"}


def idx_bytes(array):
    return struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


def tiny_arrays():
    generator = np.random.default_rng(0)
    arrays = {}
    for split, count in COUNTS.items():
        arrays[f"{PREFIXES[split]}-images-idx3-ubyte.gz"] = generator.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        arrays[f"{PREFIXES[split]}-labels-idx1-ubyte.gz"] = generator.integers(0, 10, count).astype(np.uint8)
    return arrays


ARRAYS = tiny_arrays()
PLAIN = {name: idx_bytes(array) for name, array in ARRAYS.items()}
GZIP = {name: gzip.compress(content, mtime=0) for name, content in PLAIN.items()}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def tiny_original():
    """What `mnist.ORIGINAL` says about the real files, said about the tiny ones."""
    file = {name: mnist.original_file(name, sha256(GZIP[name]), sha256(PLAIN[name]), mirrors=()) for name in ARRAYS}
    return {
        split: mnist.SplitFiles(file[f"{prefix}-images-idx3-ubyte.gz"], file[f"{prefix}-labels-idx1-ubyte.gz"], count)
        for (split, count), prefix in zip(COUNTS.items(), PREFIXES.values(), strict=True)
    }


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """$DNI_DATA_DIR/mnist with the four tiny files."""
    monkeypatch.setenv("DNI_DATA_DIR", str(tmp_path))
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name, content in GZIP.items():
        (folder / name).write_bytes(content)
    return folder


def assert_loads_tiny():
    dataset = mnist.load_original(tiny_original())
    assert (dataset.name, dataset.source) == ("mnist", "original")
    assert dataset.description == "MNIST, the original files (5 train, 3 test)"
    for split, prefix in PREFIXES.items():
        part = dataset.splits[split]
        np.testing.assert_array_equal(part.inputs, ARRAYS[f"{prefix}-images-idx3-ubyte.gz"])
        np.testing.assert_array_equal(part.labels, ARRAYS[f"{prefix}-labels-idx1-ubyte.gz"])
        for array in (part.inputs, part.labels):
            assert array.dtype == np.uint8 and array.flags.c_contiguous and not array.flags.writeable
    return dataset


def test_gzip_files(folder):
    assert assert_loads_tiny().files == {name: sha256(content) for name, content in GZIP.items()}


def test_plain_files(folder):
    for name, content in PLAIN.items():
        (folder / name).unlink()
        (folder / name.removesuffix(".gz")).write_bytes(content)
    assert assert_loads_tiny().files == {name.removesuffix(".gz"): sha256(PLAIN[name]) for name in PLAIN}


def test_uncompressed_under_a_compressed_name(folder):
    for name, content in PLAIN.items():
        (folder / name).write_bytes(content)
    assert_loads_tiny()


def test_files_directly_in_the_data_directory(folder):
    for name in GZIP:
        (folder / name).rename(folder.parent / name)
    assert_loads_tiny()


TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
OTHER_IMAGES = np.zeros((5, 28, 28), np.uint8)

# what is put in the place of which files, and what the message must say; None removes the file
FAILURES = {
    "missing": ({TEST_LABELS: None}, f"{TEST_LABELS} is missing"),
    "truncated gzip": ({TRAIN_IMAGES: GZIP[TRAIN_IMAGES][:-9]}, "truncated: its gzip stream stops"),
    "truncated values": ({TEST_IMAGES: gzip.compress(PLAIN[TEST_IMAGES][:-9])}, "truncated: its header announces"),
    "trailing bytes": ({TEST_LABELS: PLAIN[TEST_LABELS] + b"\0"}, "too long: its header announces"),
    "wrong magic": ({TRAIN_IMAGES: PLAIN[TRAIN_LABELS]}, "wrong magic number 0x00000801"),
    "label 10": ({TRAIN_LABELS: idx_bytes(np.array([0, 1, 10, 2, 3], np.uint8))}, "label 10 at position 2"),
    "other checksum": ({TRAIN_IMAGES: idx_bytes(OTHER_IMAGES)}, "is not the original: wrong checksum"),
    "other gzip": ({TRAIN_IMAGES: gzip.compress(PLAIN[TRAIN_IMAGES], 1)}, "is not the original: wrong checksum"),
    "other labels": ({TRAIN_LABELS: idx_bytes(np.zeros(5, np.uint8))}, "is not the original: wrong checksum"),
    "counts differ": ({TRAIN_LABELS: GZIP[TEST_LABELS]}, "holds 5 images, but .* holds 3 labels"),
    "not the count": (
        {TRAIN_IMAGES: GZIP[TEST_IMAGES], TRAIN_LABELS: GZIP[TEST_LABELS]},
        "holds images of 3 x 28 x 28, but the original's are 5 x 28 x 28",
    ),
    "not 28 x 28": (
        {TRAIN_IMAGES: idx_bytes(np.zeros((5, 14, 56), np.uint8))},
        "holds images of 5 x 14 x 56, but the original's are 5 x 28 x 28",
    ),
}


@pytest.mark.parametrize(("replaced", "message"), FAILURES.values(), ids=FAILURES)
def test_one_clear_message(folder, replaced, message):
    for name, content in replaced.items():
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        mnist.load_original(tiny_original())
    assert str(folder / next(iter(replaced))) in str(caught.value)  # which file
    assert "unset DNI_DATA_DIR" in str(caught.value) or "or unset it to allow the download" in str(caught.value)


def test_unreadable_file(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\)"):
        mnist.load_original(tiny_original())


def test_the_tiny_files_are_not_taken_for_the_real_ones(folder):
    with pytest.raises(UserError, match="but the original's are 60000 x 28 x 28"):
        load("mnist", "original")


def test_each_file_has_two_addresses_and_its_own_checksums():
    files = [file for split in mnist.ORIGINAL.values() for file in (split.images, split.labels)]
    assert {file.remote.name for file in files} == set(ARRAYS)
    assert len({digest for file in files for digest in (file.remote.sha256, file.uncompressed_sha256)}) == 8
    for file in files:
        addresses = [urlparse(address) for address in file.remote.addresses]
        assert len({address.hostname for address in addresses}) == 2
        assert all(address.scheme == "https" and address.path.endswith(file.remote.name) for address in addresses)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mnits",), "unknown data set 'mnits': did you mean 'mnist'?"),
        (("MNIST",), "did you mean 'mnist'?"),
        (("mnist", "orignal"), "unknown data source 'orignal': did you mean 'original'?"),
    ],
)
def test_unknown_names_get_the_nearest_one(arguments, message):
    with pytest.raises(UserError) as caught:
        load(*arguments)
    assert message in str(caught.value)
    assert "mnist" in names()


@pytest.mark.skipif(not os.environ.get("DNI_DATA_DIR"), reason="needs MNIST's original files: set DNI_DATA_DIR")
def test_the_real_files():
    dataset = load("mnist", source="original")
    assert dataset.description == "MNIST, the original files (60000 train, 10000 test)"
    train, test = dataset.splits["train"], dataset.splits["test"]
    assert train.inputs.shape == (60000, 28, 28) and test.inputs.shape == (10000, 28, 28)
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9] and test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    # The mean and the deviation in general use for normalising MNIST.
    assert round(float(train.inputs.mean()) / 255, 4) == 0.1307 and round(float(train.inputs.std()) / 255, 4) == 0.3081
    # Read from the uncompressed content, whichever form the folder holds.
    for split, part in dataset.splits.items():
        assert sha256(idx_bytes(part.inputs)) == mnist.ORIGINAL[split].images.uncompressed_sha256
        assert sha256(idx_bytes(part.labels)) == mnist.ORIGINAL[split].labels.uncompressed_sha256
