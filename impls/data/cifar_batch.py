"""Reader of CIFAR-10's batches, xz-compressed or plain, that runs nothing of what it reads.

A batch is a Python pickle of protocol 2: a program for a small stack machine, which builds a dictionary with the images
as a NumPy array. Python's own reader of pickles calls whatever function the program names. The reader here knows only
the 23 operations that the published batches are made of, and builds nothing but numbers, byte strings, tuples, lists
and dictionaries. The three NumPy names that such a program needs are never looked up: they are compared with the two
calls by which a pickled uint8 array begins. Everything else is refused.
"""

import lzma
import math
import struct
from dataclasses import dataclass
from enum import Enum

import numpy as np

from impls.data.download import REPLACE
from impls.errors import UserError

XZ_START = b"\xfd7zXZ\0"
PROTOCOL_2 = b"\x80\x02"
IMAGE_SHAPE = (3, 32, 32)  # as the file has them: channels first
IMAGE_BYTES = math.prod(IMAGE_SHAPE)
LARGEST_BYTES = 40_000_000  # uncompressed; a published batch has 31 million
UNPACKING_BYTES = 128 * 2**20  # of working memory; what `xz -9` packs takes half of it
# A published batch takes 30 thousand. As an operation adds at most one small value beyond the bytes that it reads, this
# also bounds the memory that a file can ask for, and how deep its values are nested.
MOST_OPERATIONS = 100_000


class Symbol(Enum):
    """What may stand on the stack besides plain values: the names that a file may refer to, and what calls yield."""

    RECONSTRUCT = "numpy.core.multiarray._reconstruct"
    NDARRAY = "numpy.ndarray"
    DTYPE = "numpy.dtype"
    ARRAY_TO_FILL = "an array without its shape and values"
    UINT8_TO_FILL = "a uint8 without its byte order"
    UINT8 = "uint8"


NAMES = {symbol.value: symbol for symbol in (Symbol.RECONSTRUCT, Symbol.NDARRAY, Symbol.DTYPE)}


@dataclass(frozen=True, eq=False)
class Array:
    """A pickled uint8 array [rows, columns] in row-major order, with as many values as that takes."""

    rows: int
    columns: int
    values: memoryview | bytes


def read_batch(content: bytes, name: str, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Decode one batch.

    content: the file's bytes, xz or plain.
    name: the file's name or path, for messages.
    classes: every label must be below this number.
    Returns: images uint8 [n, 32, 32, 3], a read-only view in the file's own order of channels first; labels uint8 [n].
    Raises: UserError for a damaged xz stream, anything but the pickled dictionary of a batch, missing or surplus bytes,
        images of another size, labels that are not one class number for each image.
    """
    batch = decode(uncompressed(content, name), name)
    images, labels = _entry(batch, "data", Array, name), _entry(batch, "labels", list, name)
    if images.columns != IMAGE_BYTES:
        raise UserError(f"{name}: its images have {images.columns} bytes each, where {IMAGE_BYTES} are due. {REPLACE}")
    if len(labels) != images.rows:
        raise UserError(f"{name}: it holds {images.rows} images, but {len(labels)} labels. {REPLACE}")
    for position, label in enumerate(labels):
        if type(label) is not int:
            raise UserError(f"{name}: the label at position {position} is not a number. {REPLACE}")
        if not 0 <= label < classes:
            raise UserError(f"{name}: label {label} at position {position} is not in 0 to {classes - 1}. {REPLACE}")
    channels_first = np.frombuffer(images.values, np.uint8).reshape(-1, *IMAGE_SHAPE)
    return channels_first.transpose(0, 2, 3, 1), np.array(labels, np.uint8)


def uncompressed(content: bytes, name: str) -> bytes:
    """The bytes of a file that may be xz-compressed; `name` is for messages.

    Raises: UserError for a damaged, truncated or continued xz stream, and for more than `LARGEST_BYTES`.
    """
    payload = content
    # Whether a file is compressed is read off its first bytes, as for MNIST: a name's ending gets lost.
    if content.startswith(XZ_START):
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, UNPACKING_BYTES)
        try:
            payload = stream.decompress(content, LARGEST_BYTES + 1)
        except lzma.LZMAError as error:
            raise UserError(f"{name}: damaged xz stream ({error}). {REPLACE}") from error
        if not stream.eof and len(payload) <= LARGEST_BYTES:
            raise UserError(f"{name}: truncated: its xz stream stops before its end. {REPLACE}")
        if stream.unused_data:
            raise UserError(f"{name}: too long: {len(stream.unused_data)} bytes follow its xz stream. {REPLACE}")
    if len(payload) > LARGEST_BYTES:
        raise UserError(f"{name}: too long: no batch has more than {LARGEST_BYTES} bytes, uncompressed. {REPLACE}")
    return payload


def decode(content: bytes, name: str):
    """The value that a pickle describes, as far as it is one that a batch may hold.

    content: the uncompressed bytes.
    name: the file's name or path, for messages.
    Returns: whatever was pickled: None, False, int, bytes (a memoryview for strings of 256 bytes and more), `Symbol`,
        `Array`, and tuples, lists and dictionaries of these with bytes as keys.
    Raises: UserError for anything else.
    """
    if content[:2] != PROTOCOL_2:
        raise UserError(
            f"{name}: not a CIFAR-10 batch: it starts with 0x{content[:2].hex()}, "
            f"where a pickle of protocol 2 starts with 0x{PROTOCOL_2.hex()}. {REPLACE}"
        )
    return Decoder(content, name).run()


class Decoder:
    """The stack machine, reduced to the operations that a batch needs."""

    def __init__(self, content: bytes, name: str):
        self.content = memoryview(content)
        self.name = name
        self.position = len(PROTOCOL_2)
        self.operation_start = self.position
        self.stack = []
        self.marks = []  # heights of the stack at which a tuple, or a list's or dictionary's items, begin

    def run(self):
        """Carry out the operations up to the last one. Returns: the one value that they leave."""
        for _ in range(MOST_OPERATIONS):
            self.operation_start = self.position
            operation = bytes(self.take(1))
            if operation == b".":  # STOP
                return self.finished()
            self.step(operation)
        raise self.refusal(f"not a CIFAR-10 batch: it takes more than {MOST_OPERATIONS} operations")

    def step(self, operation: bytes) -> None:
        """Carry out one operation; the comments give the names that Python's documentation uses."""
        match operation:
            case b"q":  # BINPUT notes a value under a number for later use, of which a batch makes none.
                self.take(1)
            case b"r":  # LONG_BINPUT
                self.take(4)
            case b"K":  # BININT1
                self.stack.append(self.number("<B"))
            case b"M":  # BININT2
                self.stack.append(self.number("<H"))
            case b"J":  # BININT
                self.stack.append(self.number("<i"))
            case b"U":  # SHORT_BINSTRING
                self.stack.append(bytes(self.take(self.number("<B"))))
            case b"T":  # BINSTRING: the images, 31 MB, which are not copied
                self.stack.append(self.take(self.number("<I")))
            case b"N":  # NONE
                self.stack.append(None)
            case b"\x89":  # NEWFALSE
                self.stack.append(False)
            case b"]":  # EMPTY_LIST
                self.stack.append([])
            case b"}":  # EMPTY_DICT
                self.stack.append({})
            case b"(":  # MARK
                self.marks.append(len(self.stack))
            case b"t":  # TUPLE
                self.stack.append(tuple(self.since_mark()))
            case b"\x85" | b"\x86" | b"\x87":  # TUPLE1, TUPLE2, TUPLE3
                self.stack.append(tuple(self.pop(operation[0] - 0x84)))
            case b"e":  # APPENDS
                items = self.since_mark()
                self.top(list).extend(items)
            case b"u":  # SETITEMS
                self.set_items(self.since_mark())
            case b"c":  # GLOBAL
                self.stack.append(self.symbol(f"{self.line()}.{self.line()}"))
            case b"R":  # REDUCE
                self.stack.append(self.call(*self.pop(2)))
            case b"b":  # BUILD
                self.stack.append(self.fill(*self.pop(2)))
            case _:
                raise self.refusal(f"not a CIFAR-10 batch: operation 0x{operation.hex()} is none that a batch needs")

    def symbol(self, name: str) -> Symbol:
        """The symbol for a name of a module's member, which is never imported."""
        if name not in NAMES:
            raise self.refusal(f"not a CIFAR-10 batch: it asks for {name!r}, of which a batch has no need")
        return NAMES[name]

    def call(self, function, arguments) -> Symbol:
        """What stands for a function's result: one of the two calls that a pickled array needs."""
        # Patterns look no deeper than they are written, so that the nesting of the file's values does not matter.
        match function, arguments:
            case Symbol.RECONSTRUCT, (Symbol.NDARRAY, (0,), b"b"):
                return Symbol.ARRAY_TO_FILL
            case Symbol.DTYPE, (b"u1", 0, 1):
                return Symbol.UINT8_TO_FILL
        raise self.refusal("not a CIFAR-10 batch: it asks for a call that a batch does not need")

    def fill(self, target, state) -> Symbol | Array:
        """What `target` becomes with its state: uint8, or an array with its shape and values."""
        match target, state:
            case Symbol.UINT8_TO_FILL, (3, b"|", None, None, None, -1, -1, 0):
                return Symbol.UINT8
            case Symbol.ARRAY_TO_FILL, (1, (int(rows), int(columns)), Symbol.UINT8, False, bytes() | memoryview()):
                values = state[-1]
                if rows < 0 or columns < 0 or rows * columns != len(values):
                    raise self.refusal(
                        f"damaged: an array of {rows} x {columns} bytes is announced, and {len(values)} follow"
                    )
                return Array(rows, columns, values)
        raise self.refusal("not a CIFAR-10 batch: it holds an array of another kind than uint8 in rows and columns")

    def set_items(self, items: list) -> None:
        """Enter keys and values, which alternate in `items`, in the dictionary on top of the stack."""
        target = self.top(dict)
        keys, values = items[::2], items[1::2]
        if len(keys) != len(values) or not all(type(key) is bytes for key in keys):
            raise self.refusal("damaged: a dictionary's items are not pairs of a byte string and a value")
        target.update(zip(keys, values, strict=True))

    def finished(self):
        """The one value left, if there is one and the file ends here."""
        surplus = len(self.content) - self.position
        if surplus:
            raise self.refusal(f"too long: {surplus} bytes follow its end")
        if len(self.stack) != 1 or self.marks:
            raise self.refusal("damaged: it does not end with one finished value")
        return self.stack[0]

    def take(self, count: int) -> memoryview:
        """The next `count` bytes."""
        taken = self.content[self.position : self.position + count]
        if len(taken) < count:
            raise self.refusal(f"truncated: {count} bytes are announced, and {len(taken)} follow")
        self.position += count
        return taken

    def number(self, layout: str) -> int:
        """The number that comes next; `layout` as for `struct`."""
        (value,) = struct.unpack(layout, self.take(struct.calcsize(layout)))
        return value

    def line(self) -> str:
        """The bytes up to the end of the line, as text."""
        line, end, _ = bytes(self.content[self.position : self.position + 256]).partition(b"\n")
        if not end:
            raise self.refusal("damaged: a name goes on for 256 bytes, or to the end of the file")
        self.position += len(line) + 1
        return line.decode("ascii", "backslashreplace")

    def pop(self, count: int) -> list:
        """The last `count` values, taken off the stack."""
        begin = len(self.stack) - count
        if begin < (self.marks[-1] if self.marks else 0):
            raise self.refusal("damaged: too few values are there for it")
        values = self.stack[begin:]
        del self.stack[begin:]
        return values

    def since_mark(self) -> list:
        """The values after the last mark, taken off the stack with it."""
        if not self.marks:
            raise self.refusal("damaged: no mark is there for it")
        begin = self.marks.pop()
        values = self.stack[begin:]
        del self.stack[begin:]
        return values

    def top(self, kind: type):
        """The last value, left where it is, which must be a `kind`."""
        if not self.stack or type(self.stack[-1]) is not kind:
            raise self.refusal(f"damaged: no {kind.__name__} is there for it")
        return self.stack[-1]

    def refusal(self, problem: str) -> UserError:
        """The error for the operation under way."""
        return UserError(f"{self.name}: {problem} (operation at byte {self.operation_start}). {REPLACE}")


def _entry(batch, key: str, kind: type, name: str):
    """The value under `key`, which must be a `kind`, of a decoded batch, which must be a dictionary."""
    value = batch.get(key.encode()) if type(batch) is dict else None
    if type(value) is not kind:
        what = {Array: "an array", list: "a list"}[kind]
        raise UserError(f"{name}: not a CIFAR-10 batch: a dictionary with '{key}', {what}, is expected. {REPLACE}")
    return value
