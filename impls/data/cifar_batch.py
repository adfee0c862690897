"""Reader of one of CIFAR-10's batches, xz-compressed or plain.

A batch is a Python pickle, and a pickle can call any function that it names. So `cifar10` unpickles only what has a
published batch's SHA-256; and the reader looks up only the three names that those batches contain.
"""

import io
import lzma
import pickle
from typing import Any

import numpy as np

from impls.data.download import REPLACE
from impls.errors import UserError

XZ_START = b"\xfd7zXZ\0"
MOST_BYTES = 40_000_000  # more than an original batch
IMAGE_SHAPE = (3, 32, 32)  # as the file has them: channels first
ALLOWED = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}


class BatchUnpickler(pickle.Unpickler):
    """An unpickler that refuses every name that is not in `ALLOWED`."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for '{module}.{name}', which no batch needs")
        return super().find_class(module, name)


def uncompressed(content: bytes, name: str) -> bytes:
    """The bytes of a file that may be xz-compressed; `name` is for messages.

    Raises: UserError for a damaged or truncated xz stream.
    """
    # Whether a file is compressed is read off its first bytes, as for MNIST: a name's ending gets lost.
    if not content.startswith(XZ_START):
        return content
    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_BYTES * 4)
    try:
        payload = stream.decompress(content, MOST_BYTES)
    except lzma.LZMAError as error:
        raise UserError(f"{name}: damaged or truncated xz stream ({error}). {REPLACE}") from error
    if not stream.eof:
        too_long = f"too long: it unpacks to more than {MOST_BYTES} bytes"
        problem = "damaged or truncated xz stream" if stream.needs_input else too_long
        raise UserError(f"{name}: {problem}. {REPLACE}")
    return payload


def read_batch(content: bytes, name: str, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Decode one batch, whose checksum the caller has verified.

    content: the file's bytes, uncompressed.
    name: the file's name or path, for messages.
    classes: every label must be below this number.
    Returns: images uint8 [n, 32, 32, 3], a view in the file's own order of channels first; labels uint8 [n].
    Raises: UserError for anything but the pickled dictionary of a batch, images of another shape or type, labels that
        are not one class number for each image.
    """
    try:
        batch = BatchUnpickler(io.BytesIO(content), encoding="bytes").load()
        images, labels = np.asarray(batch[b"data"]), list(batch[b"labels"])
    except Exception as error:  # what is no pickle, or a damaged one, may raise anything
        problem = f"{type(error).__name__}: {error}"
        raise UserError(f"{name}: not a CIFAR-10 batch, or damaged ({problem}). {REPLACE}") from error
    if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != np.prod(IMAGE_SHAPE):
        found = f"{images.dtype} {list(images.shape)}"
        raise UserError(f"{name}: its images are {found}, where uint8 [n, {np.prod(IMAGE_SHAPE)}] is due. {REPLACE}")
    if len(labels) != len(images):
        raise UserError(f"{name}: it holds {len(images)} images, but {len(labels)} labels. {REPLACE}")
    for position, label in enumerate(labels):
        if type(label) is not int or not 0 <= label < classes:
            raise UserError(f"{name}: label {label} at position {position} is not in 0 to {classes - 1}. {REPLACE}")
    return images.reshape(-1, *IMAGE_SHAPE).transpose(0, 2, 3, 1), np.array(labels, np.uint8)
