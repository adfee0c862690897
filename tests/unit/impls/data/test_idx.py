"""The IDX reader: what is written comes back, and every kind of damage is one clear message."""

import gzip
import struct

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impls.data import idx
from impls.errors import UserError

few = settings(max_examples=60, deadline=None, derandomize=True)
images = npst.arrays(np.uint8, npst.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=5))
labels = npst.arrays(np.uint8, st.integers(0, 20), elements=st.integers(0, 9))
packings = st.sampled_from([bytes, gzip.compress])


def idx_bytes(array, magic=None):
    magic = 0x800 + array.ndim if magic is None else magic
    return struct.pack(f">I{array.ndim}I", magic, *array.shape) + array.tobytes()


@few
@given(images, packings)
def test_images_come_back(array, pack):
    found = idx.read_images(pack(idx_bytes(array)), "file")
    assert found.dtype == np.uint8 and found.flags.c_contiguous and not found.flags.writeable
    np.testing.assert_array_equal(found, array)


@few
@given(labels, packings)
def test_labels_come_back(array, pack):
    found = idx.read_labels(pack(idx_bytes(array)), "file")
    assert found.dtype == np.uint8 and not found.flags.writeable
    np.testing.assert_array_equal(found, array)


@few
@given(images, packings, st.data())
def test_every_shorter_file_is_refused(array, pack, data):
    content = pack(idx_bytes(array))
    kept = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(UserError):
        idx.read_images(content[:kept], "file")


@few
@given(images, packings, st.binary(min_size=1, max_size=9))
def test_every_longer_file_is_refused(array, pack, surplus):
    with pytest.raises(UserError, match="too long"):
        idx.read_images(pack(idx_bytes(array)) + surplus, "file")


@few
@given(images, st.data())
def test_a_flipped_bit_in_a_gzip_file_is_found_or_harmless(array, data):
    content = bytearray(gzip.compress(idx_bytes(array), mtime=0))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = idx.read_images(bytes(content), "file")
    except UserError:
        return
    np.testing.assert_array_equal(found, array)  # such as a flipped bit in gzip's time stamp


IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
LABELS = np.array([5, 0, 9], np.uint8)

DAMAGED_IMAGES = {
    "empty": (b"", "truncated: 0 bytes are too few"),
    "short magic": (idx_bytes(IMAGES)[:3], "truncated: 3 bytes are too few"),
    "short header": (idx_bytes(IMAGES)[:15], "truncated: it ends within its header of 16 bytes"),
    "short values": (idx_bytes(IMAGES)[:-1], "truncated: its header announces 2 x 3 x 4 = 24 .* and 23 follow"),
    "long values": (idx_bytes(IMAGES) + b"\0", "too long: its header announces 2 x 3 x 4 = 24 .* and 25 follow"),
    "short gzip stream": (gzip.compress(idx_bytes(IMAGES))[:-5], "truncated: its gzip stream stops before its end"),
    "short values in gzip": (gzip.compress(idx_bytes(IMAGES)[:-1]), "truncated: .* and 23 follow"),
    "long gzip stream": (gzip.compress(idx_bytes(IMAGES)) + b"\0\0", "too long: 2 bytes follow its gzip stream"),
    "gzip check value": (gzip.compress(idx_bytes(IMAGES))[:-8] + bytes(8), "damaged gzip stream"),
    "huge sizes": (idx_bytes(IMAGES)[:4] + b"\xff" * 12, "truncated"),
    "labels": (idx_bytes(LABELS), "wrong magic number 0x00000801 .*labels: are two names swapped.* 0x00000803"),
    "signed bytes": (idx_bytes(IMAGES, 0x903), "wrong magic number 0x00000903 .*not an IDX file.* 0x00000803"),
    "web page": (b"<!DOCTYPE html>", "wrong magic number 0x3c21444f .*not an IDX file"),
}
DAMAGED_LABELS = {
    "label 10": (idx_bytes(np.array([1, 10, 11], np.uint8)), "label 10 at position 1 is above 9"),
    "images": (idx_bytes(IMAGES), "wrong magic number 0x00000803 .*images: are two names swapped.* 0x00000801"),
    "short values": (idx_bytes(LABELS)[:-1], "truncated: its header announces 3 = 3 bytes of labels, and 2 follow"),
}


@pytest.mark.parametrize(
    ("reader", "content", "message"),
    [pytest.param(idx.read_images, *case, id=f"images: {name}") for name, case in DAMAGED_IMAGES.items()]
    + [pytest.param(idx.read_labels, *case, id=f"labels: {name}") for name, case in DAMAGED_LABELS.items()],
)
def test_damage_is_named(reader, content, message):
    with pytest.raises(UserError, match=message) as caught:
        reader(content, "some/path.gz")
    assert str(caught.value).startswith("some/path.gz: ")
    assert "Put an intact copy" in str(caught.value)
