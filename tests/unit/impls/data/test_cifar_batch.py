"""The reader of CIFAR-10's batches: what is written comes back, damage is one clear message, and no file runs code."""

import contextlib
import lzma
import os
import pickle
import struct
import tracemalloc
import zlib
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impls.data import cifar_batch
from impls.errors import UserError

few = settings(max_examples=60)
packings = st.sampled_from([bytes, partial(lzma.compress, preset=0)])


def string(value):
    return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<I", len(value)) + value


def batch_bytes(images, labels, filenames=None, batch_label=b"training batch 1 of 5"):
    """A batch as Python 2.7 pickled the published ones, byte for byte.

    images: uint8 [n, 32, 32, 3], or [n, any] for the file's own rows; labels: n numbers below 256; filenames: n.
    """
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), 3072) if images.ndim == 4 else images
    filenames = [b"picture_%d.png" % i for i in range(len(labels))] if filenames is None else filenames
    noted = 0

    def note():
        nonlocal noted
        noted += 1
        return b"q" + bytes([noted]) if noted < 256 else b"r" + struct.pack("<I", noted)

    def items(encoded):
        thousands = [encoded[i : i + 1000] for i in range(0, len(encoded), 1000)]
        return b"".join(b"(" + b"".join(thousand) + b"e" for thousand in thousands)

    return b"".join(
        [
            *(b"\x80\x02}", note(), b"("),
            *(string(b"batch_label"), note(), string(batch_label), note()),
            *(string(b"labels"), note(), b"]", note(), items([b"K" + bytes([label]) for label in labels])),
            *(string(b"data"), note()),
            *(b"cnumpy.core.multiarray\n_reconstruct\n", note(), b"cnumpy\nndarray\n", note()),
            *(b"K\x00\x85U\x01b\x87R", note()),
            *(b"(K\x01M", struct.pack("<H", len(rows)), b"M", struct.pack("<H", rows.shape[1]), b"\x86"),
            *(b"cnumpy\ndtype\n", note(), b"U\x02u1K\x00K\x01\x87R", note()),
            *(b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89", string(rows.tobytes()), b"tb"),
            *(string(b"filenames"), note(), b"]", note(), items([string(name) + note() for name in filenames])),
            b"u.",
        ]
    )


def pictures(count, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, 32, 32, 3)).astype(np.uint8), generator.integers(0, 10, count)


contents = st.builds(pictures, st.integers(0, 3), st.integers(0, 99))


@few
@given(contents, packings)
def test_batches_come_back(content, pack):
    images, labels = content
    found_images, found_labels = cifar_batch.read_batch(pack(batch_bytes(images, labels)), "file")
    assert found_images.dtype == found_labels.dtype == np.uint8 and not found_images.flags.writeable
    np.testing.assert_array_equal(found_images, images)
    np.testing.assert_array_equal(found_labels, labels)


def test_pickles_own_reader_agrees():
    images, labels = pictures(300)
    batch = pickle.loads(batch_bytes(images, labels), encoding="bytes")
    assert list(batch) == [b"batch_label", b"labels", b"data", b"filenames"] and len(batch[b"filenames"]) == 300
    found_images, found_labels = cifar_batch.read_batch(batch_bytes(images, labels), "file")
    np.testing.assert_array_equal(found_images.transpose(0, 3, 1, 2).reshape(300, 3072), batch[b"data"])
    assert found_labels.tolist() == batch[b"labels"] == labels.tolist()


def test_the_file_has_red_then_green_then_blue_and_row_by_row():
    rows = np.zeros((1, 3072), np.uint8)
    rows[0, [0, 1, 32, 1024, 2048]] = [10, 11, 12, 20, 30]
    image = cifar_batch.read_batch(batch_bytes(rows, [3]), "file")[0][0]
    assert image[0, 0].tolist() == [10, 20, 30]
    assert image[0, 1, 0] == 11 and image[1, 0, 0] == 12


@few
@given(contents, packings, st.data())
def test_every_shorter_file_is_refused(content, pack, data):
    packed = pack(batch_bytes(*content))
    # Half of the cuts within the last 100 bytes, since nearly all others fall among the pixels.
    kept = data.draw(st.integers(0, len(packed) - 1) | st.integers(len(packed) - 100, len(packed) - 1))
    with pytest.raises(UserError):
        cifar_batch.read_batch(packed[:kept], "file")


@few
@given(contents, packings, st.binary(min_size=1, max_size=9))
def test_every_longer_file_is_refused(content, pack, surplus):
    with pytest.raises(UserError, match="too long"):
        cifar_batch.read_batch(pack(batch_bytes(*content)) + surplus, "file")


@few
@given(contents, st.data())
def test_a_flipped_bit_in_an_xz_file_is_found_or_harmless(content, data):
    packed = bytearray(lzma.compress(batch_bytes(*content)))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        images, labels = cifar_batch.read_batch(bytes(packed), "file")
    except UserError:
        return
    np.testing.assert_array_equal(images, content[0])
    np.testing.assert_array_equal(labels, content[1])


# Without pixels, every byte is one of the format.
SHORT = batch_bytes(np.zeros((2, 0), np.uint8), [1, 2])


@settings(max_examples=500)
@given(st.integers(2, len(SHORT) - 1), st.integers(0, 255))
def test_any_other_byte_is_a_clear_message_or_another_value(position, value):
    content = SHORT[:position] + bytes([value]) + SHORT[position + 1 :]
    try:
        cifar_batch.decode(content, "file")
    except UserError as error:
        assert str(error).startswith("file: ")


operations = st.sampled_from(
    [bytes([byte]) for byte in b"(tebuR]}N\x85\x86\x87\x89q"]
    + [b"K\x00", b"K\x01", b"M\x00\x0c", b"J\xff\xff\xff\xff", b"U\x01b", b"U\x00", b"U\x04data", b"T\x03\0\0\0abc"]
    + [b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"cnumpy.core.multiarray\n_reconstruct\n", b"cos\nsystem\n"]
    + [SHORT[SHORT.index(b"cnumpy.core") : SHORT.index(b"U\x09filenames")]]
)


@settings(max_examples=500)
@given(st.lists(operations, max_size=30))
def test_any_sequence_of_operations_is_a_clear_message_or_a_value(parts):
    try:
        cifar_batch.decode(b"\x80\x02" + b"".join(parts) + b".", "file")
    except UserError as error:
        assert str(error).startswith("file: ")


IMAGES, LABELS = pictures(2)
BATCH = batch_bytes(IMAGES, LABELS)
XZ = lzma.compress(BATCH)
ROWS = IMAGES.reshape(2, 3072)


def relabelled(operations):
    """`BATCH` with other operations in place of the one that gives the first label."""
    return BATCH.replace(b"(K" + bytes([LABELS[0]]), b"(" + operations, 1)


DAMAGED = {
    "empty": (b"", "not a CIFAR-10 batch: it starts with 0x,"),
    "one byte": (BATCH[:1], "not a CIFAR-10 batch: it starts with 0x80,"),
    "only the start": (BATCH[:2], "truncated: 1 bytes are announced, and 0 follow"),
    "web page": (b"<!DOCTYPE html>", "it starts with 0x3c21, where a pickle of protocol 2 starts with 0x8002"),
    "gzip": (b"\x1f\x8b\x08\0", "not a CIFAR-10 batch: it starts with 0x1f8b"),
    "short pixels": (BATCH[:5000], r"truncated: 6144 bytes are announced, and \d+ follow"),
    "short end": (BATCH[:-1], "truncated: 1 bytes are announced, and 0 follow"),
    "long end": (BATCH + b"\0\0", "too long: 2 bytes follow its end"),
    "short xz stream": (XZ[:-5], "truncated: its xz stream stops before its end"),
    "short batch in xz": (lzma.compress(BATCH[:-9]), "truncated"),
    "long xz stream": (XZ + b"\0\0\0", "too long: 3 bytes follow its xz stream"),
    "xz check value": (XZ[:3000] + bytes([XZ[3000] ^ 1]) + XZ[3001:], "damaged xz stream"),
    "label 10": (batch_bytes(IMAGES, [3, 10]), "label 10 at position 1 is not in 0 to 9"),
    "label -1": (relabelled(b"J\xff\xff\xff\xff"), "label -1 at position 0 is not in 0 to 9"),
    "label None": (relabelled(b"N"), "the label at position 0 is not a number"),
    "label False": (relabelled(b"\x89"), "the label at position 0 is not a number"),
    "label too few": (batch_bytes(IMAGES, [3]), "it holds 2 images, but 1 labels"),
    "images of 28 x 28": (batch_bytes(np.zeros((2, 784), np.uint8), LABELS), "its images have 784 bytes each, .* 3072"),
    "no labels": (BATCH.replace(b"labels", b"LABELS"), "with 'labels', a list, is expected"),
    "no data": (BATCH.replace(b"U\x04data", b"U\x04atad"), "with 'data', an array, is expected"),
    "data of another kind": (b"\x80\x02}(U\x04data]U\x06labels]u.", "with 'data', an array, is expected"),
    "no dictionary": (b"\x80\x02].", "a dictionary with 'data', an array, is expected"),
    "two values": (b"\x80\x02]].", "damaged: it does not end with one finished value"),
    "open mark": (b"\x80\x02](.", "damaged: it does not end with one finished value"),
    "no value": (b"\x80\x02.", "damaged: it does not end with one finished value"),
    "no mark": (b"\x80\x02t.", "damaged: no mark is there for it"),
    "too few values": (b"\x80\x02N(N\x86.", "damaged: too few values are there for it"),
    "append to a tuple": (b"\x80\x02()te.", "operation 0x29 is none that a batch needs"),
    "append to None": (b"\x80\x02N(Ne.", "damaged: no list is there for it"),
    "items of a list": (b"\x80\x02](U\x01aNu.", "damaged: no dict is there for it"),
    "key without value": (b"\x80\x02}(U\x01au.", "damaged: a dictionary's items are not pairs"),
    "key that is a list": (b"\x80\x02}(]Nu.", "damaged: a dictionary's items are not pairs"),
    "name without end": (b"\x80\x02cnumpy", "damaged: a name goes on for 256 bytes, or to the end of the file"),
    "endless name": (b"\x80\x02c" + b"a" * 256 + b"\nb\n.", "damaged: a name goes on for 256 bytes"),
    "other dtype": (BATCH.replace(b"u1", b"f8"), "asks for a call that a batch does not need"),
    "object dtype": (BATCH.replace(b"u1", b"O8"), "asks for a call that a batch does not need"),
    "column-major": (BATCH.replace(b"tb\x89", b"tbK\x01", 1), "an array of another kind than uint8"),
    "other byte order": (BATCH.replace(b"U\x01|", b"U\x01>", 1), "an array of another kind than uint8"),
    "one dimension": (BATCH.replace(b"M\x02\0M\0\x0c\x86", b"M\x02\0\x85"), "an array of another kind than uint8"),
    "other shape": (batch_bytes(ROWS, LABELS).replace(b"M\x02\0", b"M\x03\0"), "3 x 3072 bytes .*, and 6144 follow"),
    "negative shape": (
        batch_bytes(ROWS, LABELS).replace(b"M\x02\0M\0\x0c", b"J\xfe\xff\xff\xffJ\0\xf4\xff\xff"),
        "-2 x -3072 bytes is announced, and 6144 follow",
    ),
    "other protocol": (pickle.dumps({b"data": [1]}, protocol=4), "it starts with 0x8004"),
}


@pytest.mark.parametrize(("content", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damage_is_named(content, message):
    with pytest.raises(UserError, match=message) as caught:
        cifar_batch.read_batch(content, "some/data_batch_1")
    assert str(caught.value).startswith("some/data_batch_1: ")
    assert "Put an intact copy" in str(caught.value)


# What a file must not make happen: a call of os.mkdir with this name.
MARKER = "made-by-a-file"


class Command:
    def __reduce__(self):
        return os.mkdir, (MARKER,)


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


MKDIR = b"cos\nmkdir\n" + text(MARKER) + b"\x85R"
SOURCE = text(f"__import__('os').mkdir('{MARKER}')")
LABEL = string(b"training batch 1 of 5")

COMMANDS = {
    "REDUCE": b"\x80\x02" + MKDIR + b".",
    "STACK_GLOBAL": b"\x80\x02" + text("os") + text("mkdir") + b"\x93" + text(MARKER) + b"\x85R.",
    "INST": b"\x80\x02(" + text(MARKER) + b"ios\nmkdir\n.",
    "OBJ": b"\x80\x02(cos\nmkdir\n" + text(MARKER) + b"o.",
    "eval": b"\x80\x02cbuiltins\neval\n" + SOURCE + b"\x85R.",
    "Python 2's name of eval": b"\x80\x02c__builtin__\neval\n" + SOURCE + b"\x85R.",
    "a function of NumPy": b"\x80\x02cnumpy.testing\nrunstring\n" + SOURCE + b"}\x86R.",
    **{f"dumped with protocol {i}": pickle.dumps(Command(), protocol=i) for i in range(pickle.HIGHEST_PROTOCOL + 1)},
    "as the batch's name": BATCH.replace(LABEL, MKDIR),
    "among the labels": relabelled(MKDIR),
    "among the file names": BATCH.replace(b"eu.", MKDIR + b"eu."),
    "as a key": BATCH.replace(b"eu.", b"e" + MKDIR + b"Nu."),
    "after the dictionary": BATCH.replace(b"eu.", b"eu" + MKDIR + b"."),
    "in the array's call": BATCH.replace(b"U\x01b", MKDIR, 1),
    "in the array's state": BATCH.replace(b"tb\x89", b"tb" + MKDIR, 1),
    "in place of the array": BATCH[: BATCH.index(b"cnumpy")] + MKDIR + BATCH[BATCH.index(b"U\x09filenames") :],
    "xz": lzma.compress(BATCH.replace(LABEL, MKDIR)),
}


@pytest.mark.parametrize("content", COMMANDS.values(), ids=COMMANDS)
def test_no_file_runs_code(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="not a CIFAR-10 batch: "):
        cifar_batch.read_batch(content, "file")
    assert not (tmp_path / MARKER).exists()
    # The file means it: the reader that a pickle is made for carries it out.
    with contextlib.suppress(Exception):
        pickle.loads(cifar_batch.uncompressed(content, "file"), encoding="bytes")
    assert (tmp_path / MARKER).exists()


REFUSED = {
    "PERSID": (b"Pname\n.", "operation 0x50 is none"),
    "BINPERSID": (b"NQ.", "operation 0x51 is none"),
    "EXT1": (b"\x82\x01.", "operation 0x82 is none"),
    "NEWOBJ": (b"cnumpy\nndarray\nK\x01\x85\x81.", "operation 0x81 is none"),
    "BINGET": (b"]q\x00h\x00.", "operation 0x68 is none"),
    "DUP": (b"]2.", "operation 0x32 is none"),
    "other name of NumPy": (b"cnumpy\nload\nU\x04file\x85R.", "it asks for 'numpy.load'"),
    "name in parts": (b"cnumpy.core\nmultiarray._reconstruct\nU\x01b\x85R.", "it asks for a call"),
    "name with a line end": (b"cos\nsystem\r\n.", r"it asks for 'os.system\\r'"),
    "name not in ASCII": (b"cos\n\xff\n.", r"it asks for 'os.\\\\xff'"),
    "ndarray called": (b"cnumpy\nndarray\n(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft\x85R.", "it asks for a call"),
    "other type": (b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\nK\0\x85U\x01b\x87R.", "it asks for a call"),
    "array of a size": (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\xff\xff\xff\x7f\x85U\x01b\x87R.",
        "it asks for a call",
    ),
    "name given a state": (b"cnumpy\nndarray\n}b.", "an array of another kind"),
    "dictionary given a state": (b"}}b.", "an array of another kind"),
}


@pytest.mark.parametrize(("operations", "message"), REFUSED.values(), ids=REFUSED)
def test_what_a_batch_does_not_need_is_refused(operations, message):
    with pytest.raises(UserError, match=message):
        cifar_batch.read_batch(b"\x80\x02" + operations, "file")


def xz_that_wants_4_gib():
    content = bytearray(XZ)
    content[16] = 40  # the size of the dictionary, in the first block's header, which its CRC32 follows
    end = 12 + 4 * content[12]
    content[end : end + 4] = struct.pack("<I", zlib.crc32(content[12:end]))
    return bytes(content)


DEEP = b"N" + b"\x85" * 30_000
GREEDY = {
    "string of 4 GB": (b"\x80\x02T\xff\xff\xff\xff.", "truncated: 4294967295 bytes are announced, and 1 follow"),
    "bytes of 2^60": (b"\x80\x02\x8e" + struct.pack("<Q", 2**60), "operation 0x8e is none"),
    "number of 2 GB": (b"\x80\x02\x8b\xff\xff\xff\x7f", "operation 0x8b is none"),
    "note under number 2^32": (b"\x80\x02]r\xff\xff\xff\xff.", "a dictionary with 'data'"),
    "array of 2^62": (
        batch_bytes(ROWS, LABELS).replace(b"M\x02\0M\0\x0c", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f"),
        "2147483647 x 2147483647 bytes is announced, and 6144 follow",
    ),
    "many values": (b"\x80\x02" + b"]" * 1_000_000, "it takes more than 100000 operations"),
    "nested tuples": (b"\x80\x02" + DEEP + b".", "a dictionary with 'data'"),
    "nested tuples without end": (b"\x80\x02" + DEEP * 4, "it takes more than 100000 operations"),
    "nested tuples in a call": (b"\x80\x02cnumpy\ndtype\n" + DEEP + b"R.", "it asks for a call"),
    "nested tuples in a state": (BATCH.replace(b"U\x01|", DEEP, 1), "another kind"),
    "nested tuples as a key": (b"\x80\x02}(" + DEEP + b"Nu.", "a dictionary's items are not pairs"),
    "nested tuples as a label": (
        relabelled(DEEP),
        "the label at position 0 is not a number",
    ),
    "nested marks": (b"\x80\x02" + b"(" * 20_000 + b"t" * 20_000 + b".", "a dictionary with 'data'"),
    "nested lists": (b"\x80\x02" + b"](" * 20_000 + b"e" * 20_000 + b".", "a dictionary with 'data'"),
    "nested dictionaries": (
        b"\x80\x02" + b"}(U\0" * 20_000 + b"N" + b"u" * 20_000 + b".",
        "a dictionary with 'data', an array, is expected",
    ),
    "xz with a dictionary of 4 GiB": (xz_that_wants_4_gib(), r"damaged xz stream \(Memory usage limit exceeded\)"),
}


@pytest.mark.parametrize(("content", "message"), GREEDY.values(), ids=GREEDY)
def test_no_file_takes_much_memory_or_nests_too_deep(content, message):
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=message):
            cifar_batch.read_batch(content, "file")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20e6  # 100,000 small values


def test_no_more_of_an_xz_file_is_unpacked_than_a_batch_has(monkeypatch):
    monkeypatch.setattr(cifar_batch, "LARGEST_BYTES", 1_000_000)
    content = lzma.compress(bytes(20_000_000), preset=0)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="too long: no batch has more than 1000000 bytes, uncompressed"):
            cifar_batch.read_batch(content, "file")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5e6


def test_a_plain_file_may_not_be_too_long_either(monkeypatch):
    monkeypatch.setattr(cifar_batch, "LARGEST_BYTES", len(BATCH))
    cifar_batch.read_batch(BATCH, "file")
    cifar_batch.read_batch(XZ, "file")
    monkeypatch.setattr(cifar_batch, "LARGEST_BYTES", len(BATCH) - 1)
    for content in (BATCH, XZ):
        with pytest.raises(UserError, match="too long: no batch has more than"):
            cifar_batch.read_batch(content, "file")
