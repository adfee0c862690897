"""Reader of IDX, MNIST's file format, gzip-compressed or plain.

An IDX file of bytes is a big-endian header (magic number, then one uint32 size per dimension) followed by the values in
row-major order. The magic number's last byte is the number of dimensions: 3 for images, 1 for labels.
"""

import math
import struct
import zlib

import numpy as np

from impls.data.download import REPLACE
from impls.errors import UserError

IMAGES_MAGIC = 0x00000803
LABELS_MAGIC = 0x00000801
KINDS = {IMAGES_MAGIC: "images", LABELS_MAGIC: "labels"}
GZIP_START = b"\x1f\x8b"
MOST_BYTES = 50_000_000  # more than the largest original file, uncompressed


def read_images(content: bytes, name: str) -> np.ndarray:
    """Decode an IDX file of images.

    content: the file's bytes, gzip or plain.
    name: the file's name or path, for messages.
    Returns: uint8 [n, height, width], read-only.
    Raises: UserError for a damaged gzip stream, a wrong magic number, or missing or surplus bytes.
    """
    return _read(content, name, IMAGES_MAGIC)


def read_labels(content: bytes, name: str, classes: int = 10) -> np.ndarray:
    """Decode an IDX file of labels.

    content, name: as in `read_images`.
    classes: every label must be below this number.
    Returns: uint8 [n], read-only.
    Raises: UserError as in `read_images`, and for a label that is not below `classes`.
    """
    labels = _read(content, name, LABELS_MAGIC)
    wrong = np.flatnonzero(labels >= classes)
    if wrong.size:
        first = wrong[0]
        raise UserError(f"{name}: label {labels[first]} at position {first} is above {classes - 1}. {REPLACE}")
    return labels


def _read(content: bytes, name: str, magic: int) -> np.ndarray:
    content = _uncompressed(content, name)
    if len(content) < 4:
        raise UserError(f"{name}: truncated: {len(content)} bytes are too few for an IDX file. {REPLACE}")
    (found,) = struct.unpack_from(">I", content)
    if found != magic:
        hint = f" (a file of {KINDS[found]}: are two names swapped?)" if found in KINDS else " (not an IDX file?)"
        raise UserError(
            f"{name}: wrong magic number 0x{found:08x}{hint}; "
            f"a file of {KINDS[magic]} starts with 0x{magic:08x}. {REPLACE}"
        )
    dimensions = magic & 0xFF
    header_bytes = 4 + 4 * dimensions
    if len(content) < header_bytes:
        raise UserError(f"{name}: truncated: it ends within its header of {header_bytes} bytes. {REPLACE}")
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    needed, held = math.prod(shape), len(content) - header_bytes
    if held != needed:
        problem = "truncated" if held < needed else "too long"
        size = " x ".join(map(str, shape))
        raise UserError(
            f"{name}: {problem}: its header announces {size} = {needed} bytes of {KINDS[magic]}, "
            f"and {held} follow. {REPLACE}"
        )
    return np.frombuffer(content, np.uint8, offset=header_bytes).reshape(shape)


def _uncompressed(content: bytes, name: str) -> bytes:
    # The first bytes show whether a file is compressed; browsers and mirrors change the name's ending.
    if not content.startswith(GZIP_START):
        return content
    stream = zlib.decompressobj(wbits=31)  # 31: gzip, with its header and check value
    try:
        payload = stream.decompress(content, MOST_BYTES)
    except zlib.error as error:
        raise UserError(f"{name}: damaged gzip stream ({error}). {REPLACE}") from error
    if stream.unconsumed_tail:
        raise UserError(f"{name}: too long: it unpacks to more than {MOST_BYTES} bytes. {REPLACE}")
    if not stream.eof:
        raise UserError(f"{name}: truncated: its gzip stream stops before its end. {REPLACE}")
    if stream.unused_data:
        raise UserError(f"{name}: too long: {len(stream.unused_data)} bytes follow its gzip stream. {REPLACE}")
    return payload
