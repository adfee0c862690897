"""The reader of CIFAR-10's batches: what is written comes back, damage is one clear message, and no file runs code."""

import lzma
import os
import pickle
import struct

import numpy as np
import pytest

from impls.data import cifar_batch
from impls.errors import UserError


def string(value):
    return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<I", len(value)) + value


def batch_bytes(images, labels, batch_label=b"training batch 1 of 5"):
    """A batch as Python 2.7 pickled the published ones, without its file names.

    images: uint8 [n, 32, 32, 3], or [n, any] for the file's own rows; labels: n numbers below 256.
    """
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), 3072) if images.ndim == 4 else images
    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R"
    shape = b"(K\x01M" + struct.pack("<H", len(rows)) + b"M" + struct.pack("<H", rows.shape[1]) + b"\x86"
    uint8 = b"cnumpy\ndtype\nU\x02u1K\0K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    values = b"\x89" + string(rows.tobytes()) + b"tb"
    entries = {b"batch_label": string(batch_label), b"labels": b"](" + numbers + b"e"}
    entries[b"data"] = array + shape + uint8 + values
    return b"\x80\x02}(" + b"".join(string(key) + value for key, value in entries.items()) + b"u."


def pictures(count, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, 32, 32, 3)).astype(np.uint8), generator.integers(0, 10, count)


IMAGES, LABELS = pictures(2)
BATCH = batch_bytes(IMAGES, LABELS)
FIRST_LABEL = b"(K" + bytes([LABELS[0]])


def test_a_batch_comes_back():
    images, labels = cifar_batch.read_batch(BATCH, "file")
    assert images.dtype == labels.dtype == np.uint8
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


def test_the_file_has_red_then_green_then_blue_and_row_by_row():
    rows = np.zeros((1, 3072), np.uint8)
    rows[0, [0, 1, 32, 1024, 2048]] = [10, 11, 12, 20, 30]
    image = cifar_batch.read_batch(batch_bytes(rows, [3]), "file")[0][0]
    assert image[0, 0].tolist() == [10, 20, 30]
    assert image[0, 1, 0] == 11 and image[1, 0, 0] == 12


DAMAGED = {
    "empty": (b"", "not a CIFAR-10 batch, or damaged"),
    "web page": (b"<!DOCTYPE html>", "not a CIFAR-10 batch, or damaged"),
    "short": (BATCH[:5000], "not a CIFAR-10 batch, or damaged"),
    "no data": (BATCH.replace(b"U\x04data", b"U\x04atad"), "damaged .KeyError: b'data'"),
    "no dictionary": (b"\x80\x02].", "not a CIFAR-10 batch, or damaged"),
    "images of 28 x 28": (batch_bytes(np.zeros((2, 784), np.uint8), LABELS), r"its images are uint8 \[2, 784\]"),
    "other type": (BATCH.replace(b"U\x02u1", b"U\x02i1"), r"its images are int8 \[2, 3072\], where uint8"),
    "one dimension": (BATCH.replace(b"M\x02\0M\0\x0c\x86", b"M\0\x18\x85"), r"its images are uint8 \[6144\]"),
    "label 10": (batch_bytes(IMAGES, [3, 10]), "label 10 at position 1 is not in 0 to 9"),
    "label -1": (BATCH.replace(FIRST_LABEL, b"(J\xff\xff\xff\xff"), "label -1 at position 0 is not in 0 to 9"),
    "label None": (BATCH.replace(FIRST_LABEL, b"(N"), "label None at position 0 is not in 0 to 9"),
    "label too few": (batch_bytes(IMAGES, [3]), "it holds 2 images, but 1 labels"),
}


@pytest.mark.parametrize(("content", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damage_is_named(content, message):
    with pytest.raises(UserError, match=message) as caught:
        cifar_batch.read_batch(content, "some/data_batch_1")
    assert str(caught.value).startswith("some/data_batch_1: ")
    assert "Put an intact copy" in str(caught.value)


def test_an_xz_file_is_unpacked_and_a_damaged_one_named():
    packed = lzma.compress(BATCH)
    assert cifar_batch.uncompressed(packed, "file") == cifar_batch.uncompressed(BATCH, "file") == BATCH
    for damaged in (packed[:-5], packed[:3000] + bytes([packed[3000] ^ 1]) + packed[3001:]):
        with pytest.raises(UserError, match=r"file: damaged or truncated xz stream.*Put an intact copy"):
            cifar_batch.uncompressed(damaged, "file")


# What a file must not make happen: a call of os.mkdir with this name.
MARKER = "made-by-a-file"
MKDIR = b"cos\nmkdir\n" + string(MARKER.encode()) + b"\x85R"


class Command:
    def __reduce__(self):
        return os.mkdir, (MARKER,)


COMMANDS = {
    "as the batch's name": BATCH.replace(string(b"training batch 1 of 5"), MKDIR),
    "among the labels": BATCH.replace(FIRST_LABEL, b"(" + MKDIR),
    "by eval": b"\x80\x02c__builtin__\neval\n" + string(f"__import__('os').mkdir('{MARKER}')".encode()) + b"\x85R.",
    **{f"dumped with protocol {i}": pickle.dumps(Command(), protocol=i) for i in range(pickle.HIGHEST_PROTOCOL + 1)},
}


@pytest.mark.parametrize("content", COMMANDS.values(), ids=COMMANDS)
def test_no_file_runs_code(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"it asks for '.*', which no batch needs"):
        cifar_batch.read_batch(content, "file")
    assert not (tmp_path / MARKER).exists()
    pickle.loads(content, encoding="latin1")  # It would run: the unrestricted reader carries it out.
    assert (tmp_path / MARKER).exists()
