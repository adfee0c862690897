"""CIFAR-10 from its original batches, on tiny ones written here and, where $DNI_DATA_DIR is set, on the real ones."""

import hashlib
import io
import lzma
import os
import tarfile
from dataclasses import replace
from urllib.parse import urlparse

import numpy as np
import pytest

from impls.data import cifar10, cifar_batch, load
from impls.data.download import RemoteFile, cache_directory
from impls.errors import UserError
from tests.support.http_server import Server
from tests.unit.impls.data.test_cifar_batch import MARKER, MKDIR, batch_bytes, pictures, string

COUNT = 2
NAMES = [*cifar10.ORIGINAL.batches["train"], *cifar10.ORIGINAL.batches["test"]]
BATCH_LABELS = {name: f"training batch {i} of 5".encode() for i, name in enumerate(NAMES, 1)}
BATCH_LABELS["test_batch"] = b"testing batch 1 of 1"
ARRAYS = {name: pictures(COUNT, seed) for seed, name in enumerate(NAMES)}
PLAIN = {name: batch_bytes(*ARRAYS[name], batch_label=BATCH_LABELS[name]) for name in NAMES}
XZ = {name: lzma.compress(content) for name, content in PLAIN.items()}
FOLDER = "cifar-10-batches-py"
ARCHIVE_NAME = "cifar-10-python.tar.gz"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def archive_bytes():
    """An archive like the published one: its order, its further files, and decoys that are not to be read."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        folder = tarfile.TarInfo(FOLDER)
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        order = ["data_batch_4", "test_batch", "data_batch_3", "data_batch_2", "data_batch_5", "data_batch_1"]
        contents = {f"{FOLDER}/{name}": PLAIN[name] for name in order}
        decoys = {
            f"{FOLDER}/readme.html": b"<html>",
            "data_batch_1": b"",
            f"../{FOLDER}/data_batch_2": b"",
            "../x": b"x",
        }
        for name, content in {**contents, **decoys}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


ARCHIVE = archive_bytes()
# What `cifar10.ORIGINAL` says about the real files, said about the tiny ones.
TINY = cifar10.Original(
    archive=RemoteFile(ARCHIVE_NAME, sha256(ARCHIVE), addresses=()),
    archive_bytes=len(ARCHIVE),
    batches={
        split: {name: sha256(PLAIN[name]) for name in batches} for split, batches in cifar10.ORIGINAL.batches.items()
    },
    batch_images=COUNT,
)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """$DNI_DATA_DIR, with nothing in it but an empty cifar10/."""
    root = tmp_path / "data"
    monkeypatch.setenv("DNI_DATA_DIR", str(root))
    (root / "cifar10").mkdir(parents=True)
    return root


@pytest.fixture
def folder(root):
    """$DNI_DATA_DIR/cifar10 with the six tiny batches."""
    for name, content in XZ.items():
        (root / "cifar10" / f"{name}.xz").write_bytes(content)
    return root / "cifar10"


def assert_loads_tiny(original=TINY):
    dataset = cifar10.load_original(original)
    assert (dataset.name, dataset.source) == ("cifar10", "original")
    assert dataset.description == "CIFAR-10, the original files (10 train, 2 test)"
    assert dataset.files == {name: sha256(PLAIN[name]) for name in NAMES}  # however they are packed
    for split, names in {"train": NAMES[:5], "test": NAMES[5:]}.items():
        part = dataset.splits[split]
        np.testing.assert_array_equal(part.inputs, np.concatenate([ARRAYS[name][0] for name in names]))
        np.testing.assert_array_equal(part.labels, np.concatenate([ARRAYS[name][1] for name in names]))
        for array in (part.inputs, part.labels):
            assert array.dtype == np.uint8 and array.flags.c_contiguous and not array.flags.writeable


def test_xz_files(folder):
    assert_loads_tiny()


@pytest.mark.parametrize("place", ["cifar10", ".", f"cifar10/{FOLDER}", FOLDER])
def test_plain_files(root, place):
    (root / place).mkdir(exist_ok=True)
    for name, content in PLAIN.items():
        (root / place / name).write_bytes(content)
    assert_loads_tiny()


def test_xz_files_directly_in_the_data_directory(folder, root):
    for name in NAMES:
        (folder / f"{name}.xz").rename(root / f"{name}.xz")
    assert_loads_tiny()


def test_uncompressed_under_a_compressed_name_and_the_reverse(folder):
    for name in NAMES[:3]:
        (folder / f"{name}.xz").write_bytes(PLAIN[name])
    for name in NAMES[3:]:
        (folder / f"{name}.xz").rename(folder / name)
    assert_loads_tiny()


def test_any_xz_will_do(folder):
    for name, content in PLAIN.items():
        (folder / f"{name}.xz").write_bytes(lzma.compress(content, preset=0, check=lzma.CHECK_CRC32))
    assert_loads_tiny()


@pytest.mark.parametrize("place", ["cifar10", "."])
def test_the_archive_in_the_data_directory(root, place):
    (root / place / ARCHIVE_NAME).write_bytes(ARCHIVE)
    before = sorted(root.parent.rglob("*"))
    assert_loads_tiny()
    assert sorted(root.parent.rglob("*")) == before  # nothing is unpacked next to it


def test_loose_files_go_before_the_archive_and_the_archive_fills_the_gaps(folder):
    (folder / ARCHIVE_NAME).write_bytes(ARCHIVE)
    (folder / f"{NAMES[1]}.xz").unlink()
    (folder / f"{NAMES[5]}.xz").unlink()
    assert_loads_tiny()
    (folder / f"{NAMES[0]}.xz").write_bytes(b"damaged")
    with pytest.raises(UserError, match=NAMES[0]):
        cifar10.load_original(TINY)


def test_the_archive_is_downloaded_once(tmp_path, monkeypatch):
    monkeypatch.delenv("DNI_DATA_DIR", raising=False)
    monkeypatch.setenv("DNI_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    server = Server()
    try:
        server.pages["/second"] = ARCHIVE
        addresses = (server.address("/first"), server.address("/second"))
        original = replace(TINY, archive=replace(TINY.archive, addresses=addresses))
        assert_loads_tiny(original)
        assert_loads_tiny(original)
    finally:
        server.http.shutdown()
        server.http.server_close()
    assert server.asked == ["/first", "/second"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [cache_directory() / "cifar10" / ARCHIVE_NAME]


OTHER = batch_bytes(np.zeros((COUNT, 32, 32, 3), np.uint8), [1, 2])
CHECKSUM = "is not the original {}: wrong checksum: its "

# what is put in the place of which batch, and what the message must say; None removes the file
FAILURES = {
    "missing": ("test_batch", None, "test_batch is missing"),
    "truncated xz": ("data_batch_2", XZ["data_batch_2"][:-9], "truncated xz stream"),
    "damaged xz": ("data_batch_2", XZ["data_batch_2"][:-40] + bytes(40), "damaged or truncated xz stream"),
    "truncated batch": ("data_batch_3", lzma.compress(PLAIN["data_batch_3"][:-9]), CHECKSUM.format("data_batch_3")),
    "trailing bytes": ("data_batch_4", PLAIN["data_batch_4"] + b"\0", CHECKSUM.format("data_batch_4")),
    "not a pickle": ("data_batch_5", b"<!DOCTYPE html>", CHECKSUM.format("data_batch_5") + "15 bytes"),
    "other images": ("data_batch_1", OTHER, CHECKSUM.format("data_batch_1")),
    "swapped": (
        "test_batch",
        XZ["data_batch_2"],
        "is not the original test_batch: it is data_batch_2; are two names swapped",
    ),
    "code": (
        "data_batch_1",
        PLAIN["data_batch_1"].replace(string(BATCH_LABELS["data_batch_1"]), MKDIR),
        CHECKSUM.format("data_batch_1"),
    ),
}


@pytest.mark.parametrize(("name", "content", "message"), FAILURES.values(), ids=FAILURES)
def test_one_clear_message(folder, monkeypatch, name, content, message):
    monkeypatch.chdir(folder)
    path = folder / f"{name}.xz"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        cifar10.load_original(TINY)
    assert str(path) in str(caught.value)  # which file
    assert "unset DNI_DATA_DIR" in str(caught.value) or "or unset it to allow the download" in str(caught.value)
    assert not (folder / MARKER).exists()


def test_a_missing_batch_is_looked_for_under_all_its_names(folder, root):
    (folder / "data_batch_3.xz").unlink()
    with pytest.raises(UserError) as caught:
        cifar10.load_original(TINY)
    for place in (folder, root):
        for name in ("data_batch_3", "data_batch_3.xz", f"{FOLDER}/data_batch_3", ARCHIVE_NAME):
            assert f"\n  {place / name}\n" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ARCHIVE[:-9], f"truncated: it has {len(ARCHIVE) - 9} of {len(ARCHIVE)} bytes"),
        (ARCHIVE + b"\0", f"too long: it has {len(ARCHIVE) + 1} of {len(ARCHIVE)} bytes"),
        (ARCHIVE[:-1] + b"\1", "is not the original: wrong checksum: sha256 "),
    ],
    ids=["truncated", "too long", "other"],
)
def test_an_archive_that_is_not_the_original_is_not_opened(root, monkeypatch, content, message):
    monkeypatch.setattr(tarfile, "open", None)
    path = root / "cifar10" / ARCHIVE_NAME
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        cifar10.load_original(TINY)
    assert str(caught.value).startswith(str(path)) and "unset DNI_DATA_DIR" in str(caught.value)


def test_a_damaged_batch_in_the_archive_is_named_and_not_unpickled(root, monkeypatch):
    unpickled = []
    reader = cifar_batch.read_batch
    monkeypatch.setattr(cifar_batch, "read_batch", lambda *given: unpickled.append(given[1]) or reader(*given))
    path = root / "cifar10" / ARCHIVE_NAME
    path.write_bytes(ARCHIVE)
    batches = {**TINY.batches, "test": {"test_batch": "0" * 64}}
    with pytest.raises(UserError) as caught:
        cifar10.load_original(replace(TINY, batches=batches))
    assert str(caught.value).startswith(f"{path}, test_batch is not the original test_batch: wrong checksum")
    assert sorted(unpickled) == [f"{path}, {name}" for name in NAMES[:5]]


@pytest.mark.parametrize("name", ["data_batch_1.xz", ARCHIVE_NAME])
def test_unreadable_file(root, monkeypatch, name):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    (root / name).write_bytes(ARCHIVE)
    for batch in NAMES[1:]:
        (root / batch).write_bytes(PLAIN[batch])
    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(UserError, match=rf"{name} cannot be read \(Permission denied\)"):
        cifar10.load_original(TINY)


def test_the_tiny_files_are_not_taken_for_the_real_ones(folder):
    with pytest.raises(UserError, match=r"data_batch_1\.xz is not the original data_batch_1: wrong checksum"):
        load("cifar10", "original")


def test_a_batch_of_another_number_of_images_is_refused(folder):
    with pytest.raises(UserError, match=r"data_batch_1\.xz holds 2 images, but the original's are 3"):
        cifar10.load_original(replace(TINY, batch_images=3))


@pytest.mark.parametrize("packed", [bytes, lzma.compress], ids=["plain", "xz"])
def test_a_loose_file_is_unpickled_only_after_its_checksum(root, monkeypatch, packed):
    monkeypatch.setattr(cifar_batch, "read_batch", None)
    for name in NAMES:
        (root / name).write_bytes(packed(OTHER))
    with pytest.raises(UserError, match="wrong checksum"):
        cifar10.load_original(TINY)


def test_the_archive_has_two_addresses_and_each_batch_its_own_checksum():
    archive = cifar10.ORIGINAL.archive
    addresses = [urlparse(address) for address in archive.addresses]
    assert len({address.hostname for address in addresses}) == 2
    assert all(address.scheme == "https" and address.path.endswith("/cifar-10-python.tar.gz") for address in addresses)
    digests = [digest for batches in cifar10.ORIGINAL.batches.values() for digest in batches.values()]
    assert len({archive.sha256, *digests}) == 7


@pytest.mark.skipif(not os.environ.get("DNI_DATA_DIR"), reason="needs CIFAR-10's original files: set DNI_DATA_DIR")
def test_the_real_files():
    dataset = load("cifar10", source="original")
    assert dataset.description == "CIFAR-10, the original files (50000 train, 10000 test)"
    train, test = dataset.splits["train"], dataset.splits["test"]
    assert train.inputs.shape == (50000, 32, 32, 3) and test.inputs.shape == (10000, 32, 32, 3)
    assert train.labels[:5].tolist() == [6, 9, 9, 4, 1] and test.labels[:5].tolist() == [3, 8, 8, 0, 6]
    assert np.bincount(train.labels).tolist() == [5000] * 10 and np.bincount(test.labels).tolist() == [1000] * 10
    # The means of red, green and blue in general use for normalising CIFAR-10.
    means = train.inputs.mean(axis=0).mean(axis=(0, 1)) / 255
    assert means.round(4).tolist() == [0.4914, 0.4822, 0.4465]
