"""MNIST from its four original files (Y. LeCun, C. Cortes, C. J. C. Burges)."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from impls.data import idx
from impls.data.dataset import Dataset, Split
from impls.data.download import REPLACE, RemoteFile, locate, read
from impls.errors import UserError

IMAGE_SHAPE = (28, 28)
MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")


@dataclass(frozen=True)
class OriginalFile:
    """One of the four files, accepted compressed, as published, or uncompressed."""

    remote: RemoteFile
    uncompressed_sha256: str


@dataclass(frozen=True)
class SplitFiles:
    """The two files of one split and the number of examples that they hold."""

    images: OriginalFile
    labels: OriginalFile
    count: int


def original_file(name: str, sha256: str, uncompressed_sha256: str, mirrors: tuple[str, ...] = MIRRORS) -> OriginalFile:
    """Describe the published file `name` (ending in .gz), which has the same name on each mirror.

    It may also be there as other programs keep it: unpacked, or in torchvision's folder.
    """
    addresses = tuple(mirror + name for mirror in mirrors)
    plain = name.removesuffix(".gz")
    dotted = plain.replace("-idx", ".idx")  # as some programs unpack it
    others = (plain, dotted, f"{dotted}.gz", f"MNIST/raw/{name}", f"MNIST/raw/{plain}")  # the last two: torchvision
    return OriginalFile(RemoteFile(name, sha256, addresses, others), uncompressed_sha256)


ORIGINAL = {
    "train": SplitFiles(
        images=original_file(
            "train-images-idx3-ubyte.gz",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        labels=original_file(
            "train-labels-idx1-ubyte.gz",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        count=60000,
    ),
    "test": SplitFiles(
        images=original_file(
            "t10k-images-idx3-ubyte.gz",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        labels=original_file(
            "t10k-labels-idx1-ubyte.gz",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        count=10000,
    ),
}


def load_original(original: dict[str, SplitFiles] = ORIGINAL) -> Dataset:
    """Load MNIST's published files.

    original: the files of each split; only tests change the default.
    Returns: splits "train" and "test", inputs uint8 [n, 28, 28] (0 background, 255 ink), labels uint8 [n].
    Raises: UserError if a file is missing, damaged, or not the published one.
    """
    splits: dict[str, Split] = {}
    digests: dict[str, str] = {}
    for split, files in original.items():
        splits[split] = _read_split(files, digests)
    counts = ", ".join(f"{len(part.labels)} {split}" for split, part in splits.items())
    return Dataset("mnist", "original", f"MNIST, the original files ({counts})", digests, splits)


def _read_split(files: SplitFiles, digests: dict[str, str]) -> Split:
    """Read and check one split; enter the sha256 of each file read in `digests`."""
    images_path, labels_path = locate(files.images.remote, "mnist"), locate(files.labels.remote, "mnist")
    images_content, labels_content = read(images_path, idx.MOST_BYTES), read(labels_path, idx.MOST_BYTES)
    images = idx.read_images(images_content, str(images_path))
    labels = idx.read_labels(labels_content, str(labels_path))
    if len(images) != len(labels):
        raise UserError(
            f"{images_path} holds {len(images)} images, but {labels_path} holds {len(labels)} labels: "
            f"they do not belong together. {REPLACE}"
        )
    if images.shape != (files.count, *IMAGE_SHAPE):
        found, expected = (" x ".join(map(str, shape)) for shape in (images.shape, (files.count, *IMAGE_SHAPE)))
        raise UserError(f"{images_path} holds images of {found}, but the original's are {expected}. {REPLACE}")
    # The checksum comes last: a damaged file also fails it, but the checks above report the kind of damage.
    for file, path, content in (
        (files.images, images_path, images_content),
        (files.labels, labels_path, labels_content),
    ):
        digests[path.name] = _verified(content, path, file)
    return Split(images, labels)


def _verified(content: bytes, path: Path, file: OriginalFile) -> str:
    digest = hashlib.sha256(content).hexdigest()
    if digest not in (file.remote.sha256, file.uncompressed_sha256):
        raise UserError(
            f"{path} is not the original: wrong checksum: sha256 {digest}, but the published file has "
            f"{file.remote.sha256} (uncompressed: {file.uncompressed_sha256}). {REPLACE}"
        )
    return digest
