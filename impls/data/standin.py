"""Embedded stand-ins: smaller data in the original's shapes, for runs without files and without a network.

A result on a stand-in shows that the code works and how the methods rank. It is never compared with the paper.
"""

import gzip
import hashlib
import importlib.util
from pathlib import Path

import numpy as np

from impls.data import pictures
from impls.data.dataset import Dataset, Split
from impls.errors import UserError

TEST_COUNT = 297  # of scikit-learn's 1797 digits; 1500 remain for training
SPLIT_KEY = 2017  # the paper's year; do not change it: every run must have the same split
ENLARGE = 3
PADDING = 2  # 8 * 3 + 2 * 2 = 28
DARKEST = 16  # a digit's pixel counts the inked points in a block of 4 x 4
# split -> name of each batch -> pictures of each class in it
CIFAR10_BATCHES = {"train": {f"data_batch_{i}": 40 for i in range(1, 6)}, "test": {"test_batch": 50}}


def load_mnist() -> Dataset:
    """Load the stand-in for MNIST: scikit-learn's 8x8 handwritten digits, enlarged to 28x28.

    Returns: as `impls.data.mnist.load_original`, but 1500 train and 297 test examples; the same bytes on every machine.
    """
    digits = _digits()
    images = enlarge(digits[:, :-1].reshape(-1, 8, 8))
    labels = digits[:, -1].astype(np.uint8)
    splits = {split: Split(images[rows], labels[rows]) for split, rows in split_rows(labels).items()}
    files = {}
    for prefix, split in (("train", splits["train"]), ("t10k", splits["test"])):
        files[f"{prefix}-images-idx3-ubyte.gz"] = hashlib.sha256(split.inputs.tobytes()).hexdigest()
        files[f"{prefix}-labels-idx1-ubyte.gz"] = hashlib.sha256(split.labels.tobytes()).hexdigest()
    counts = f"{len(splits['train'].labels)} train, {len(splits['test'].labels)} test"
    description = f"STAND-IN for MNIST: scikit-learn's 8x8 digits enlarged to 28x28 ({counts})"
    return Dataset("mnist", "stand-in", description, files, splits)


def load_cifar10() -> Dataset:
    """Make the stand-in for CIFAR-10: pictures of ten shapes and patterns, see `impls.data.pictures`.

    Returns: as `impls.data.cifar10.load_original`, but 2000 train and 500 test examples, equally many of each class;
        the same bytes on every machine.
    """
    dice = pictures.Dice(SPLIT_KEY)
    splits, files = {}, {}
    for split, batches in CIFAR10_BATCHES.items():
        parts = []
        for name, each in batches.items():
            labels = dice.shuffled(np.repeat(np.arange(10, dtype=np.uint8), each))
            parts.append((pictures.draw(labels, dice), labels))
            files[name] = hashlib.sha256(b"".join(part.tobytes() for part in parts[-1])).hexdigest()
        splits[split] = Split(*map(np.concatenate, zip(*parts, strict=True)))
    counts = ", ".join(f"{len(part.labels)} {split}" for split, part in splits.items())
    description = f"STAND-IN for CIFAR-10: drawn 32x32 colour pictures of ten shapes and patterns ({counts})"
    return Dataset("cifar10", "stand-in", description, files, splits)


def _digits() -> np.ndarray:
    """scikit-learn's table of digits: int64 [1797, 8 * 8 + 1], the label last.

    The file is read directly, because importing the package would take a second in every training of a preset.
    """
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        raise UserError("scikit-learn is not installed. The stand-in for MNIST uses its table of digits: install it")
    with gzip.open(Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz", "rt") as file:
        return np.loadtxt(file, delimiter=",").astype(np.int64)


def enlarge(images: np.ndarray) -> np.ndarray:
    """Bilinear enlargement by 3 with an empty margin of 2; values 0..16 are scaled to 0..255.

    images: integers [n, 8, 8].
    Returns: uint8 [n, 28, 28].
    """
    size = images.shape[-1]
    # Pixel i of the enlarged row lies at (i - 1) / 3 between the old ones, so all weights are thirds. In units of a
    # third the whole computation is in integers, and gives the same bytes on every machine and library version.
    weights = np.zeros((size * ENLARGE, size), np.int64)
    for i in range(size * ENLARGE):
        left, thirds = divmod(i - 1, ENLARGE)
        weights[i, max(left, 0)] += ENLARGE - thirds
        weights[i, min(left + 1, size - 1)] += thirds
    scale = DARKEST * ENLARGE**2
    values = (weights @ images @ weights.T * 255 + scale // 2) // scale  # rounded to the nearest
    return np.pad(values.astype(np.uint8), ((0, 0), (PADDING, PADDING), (PADDING, PADDING)))


def split_rows(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Divide the examples at random, always in the same way, with the same proportions of classes in both parts.

    labels: uint8 [n].
    Returns: the row numbers of "train" [n - 297] and "test" [297], each in random order.
    """
    order = pictures.Dice(SPLIT_KEY).shuffled(np.arange(len(labels)))
    by_class = order[np.argsort(labels[order], kind="stable")]
    in_test = np.zeros(len(labels), bool)
    in_test[by_class[np.arange(TEST_COUNT) * len(labels) // TEST_COUNT]] = True
    return {"train": order[~in_test[order]], "test": order[in_test[order]]}
