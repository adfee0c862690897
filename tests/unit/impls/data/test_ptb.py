"""Penn Treebank's characters in both layouts, on tiny files and, where $DNI_DATA_DIR is set, on the real ones."""

import hashlib
import os
from urllib.parse import urlparse

import numpy as np
import pytest

from impls.data import load, ptb
from impls.data.download import cache_directory, data_directory
from impls.errors import UserError

SENTENCES = {
    "train": ["aer banknote <unk>", "mr. <unk> is chairman of <unk> n.v.", "pierre <unk> N years old"],
    "valid": ["consumers may n't want 1\\/2 & *", "a $ N b-52 #"],
    "test": ["no it was n't"],
}
# Symbols with one a line for its end, counted by hand.
COUNTS = {"train": 19 + 36 + 25, "valid": 32 + 13, "test": 14}


def layouts(split, sentences):
    """The two files of a split."""
    return {
        f"ptb.{split}.txt": "".join(f" {sentence} \n" for sentence in sentences).encode(),
        f"ptb.char.{split}.txt": "".join(
            f" {' '.join(sentence.replace(' ', '_'))} \n" for sentence in sentences
        ).encode(),
    }


FILES = {name: content for split, lines in SENTENCES.items() for name, content in layouts(split, lines).items()}
WORDS = {name: content for name, content in FILES.items() if "char" not in name}
CHARACTERS = {name: content for name, content in FILES.items() if "char" in name}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def tiny_original(mirrors=()):
    """What `ptb.ORIGINAL` says about the real files, said about the tiny ones."""
    return {
        split: ptb.split_files(
            split, sha256(FILES[f"ptb.{split}.txt"]), sha256(FILES[f"ptb.char.{split}.txt"]), count, mirrors
        )
        for split, count in COUNTS.items()
    }


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """$DNI_DATA_DIR/ptb, empty."""
    monkeypatch.setenv("DNI_DATA_DIR", str(tmp_path))
    folder = tmp_path / "ptb"
    folder.mkdir()
    return folder


def write(folder, files):
    for name, content in files.items():
        (folder / name).write_bytes(content)


def assert_loads_tiny(files, original=None):
    dataset = ptb.load_original(original or tiny_original())
    assert (dataset.name, dataset.source, dataset.facts) == ("ptb", "original", {})
    assert dataset.description == "Penn Treebank, characters of the original files (80 train, 45 valid, 14 test)"
    assert dataset.files == {name: sha256(FILES[name]) for name in files}
    assert list(dataset.splits) == ["train", "valid", "test"]
    for split, sentences in SENTENCES.items():
        stream = "".join(sentence + "\n" for sentence in sentences)
        part = dataset.splits[split]
        assert "".join(ptb.VOCABULARY[token] for token in part.inputs) == stream[:-1]
        assert "".join(ptb.VOCABULARY[token] for token in part.labels) == stream[1:]
        for array in (part.inputs, part.labels):
            assert array.dtype == np.uint8 and array.flags.c_contiguous and not array.flags.writeable


@pytest.mark.parametrize("files", [WORDS, CHARACTERS], ids=["words", "characters"])
@pytest.mark.parametrize("place", ["ptb", "."])
def test_either_layout_gives_the_same_stream(folder, files, place):
    write(folder.parent / place, files)
    assert_loads_tiny(files)


def test_words_go_before_characters_and_characters_fill_the_gaps(folder):
    write(folder, FILES)
    assert_loads_tiny(WORDS)
    (folder / "ptb.valid.txt").unlink()
    assert_loads_tiny(["ptb.train.txt", "ptb.char.valid.txt", "ptb.test.txt"])


def test_the_files_of_words_are_downloaded_once(empty_cache, server, tmp_path):
    for name, content in FILES.items():
        server.pages[f"/second/{name}"] = content
    server.pages["/first/ptb.valid.txt"] = FILES["ptb.valid.txt"]
    original = tiny_original((server.address("/first/"), server.address("/second/")))
    assert_loads_tiny(WORDS, original)
    assert_loads_tiny(WORDS, original)
    tries = ["/first/ptb.train.txt", "/second/ptb.train.txt", "/first/ptb.valid.txt"]
    assert server.asked == [*tries, "/first/ptb.test.txt", "/second/ptb.test.txt"]
    kept = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert kept == {cache_directory() / "ptb" / name for name in WORDS}


TRAIN, VALID = FILES["ptb.train.txt"], FILES["ptb.valid.txt"]
# what is put in the place of which file, and what the message must say; None removes the file
FAILURES = {
    "missing": ("ptb.test.txt", None, "ptb.test.txt is missing"),
    "empty": ("ptb.test.txt", b"", "truncated: it holds 0 of 14 symbols"),
    "truncated": ("ptb.train.txt", TRAIN[:-9], "truncated: it holds 72 of 80 symbols"),
    "last line's end is missing": ("ptb.train.txt", TRAIN[:-1], "truncated: it holds 79 of 80 symbols"),
    "trailing line": ("ptb.valid.txt", VALID + b" a \n", "too long: it holds 47 of 45 symbols"),
    "a web page": ("ptb.train.txt", b"<!DOCTYPE html>\n", "unknown symbol b'!' in line 1: not Penn Treebank's text"),
    "capital letter": ("ptb.valid.txt", VALID.replace(b" b-52", b" B-52"), "unknown symbol b'B' in line 2"),
    "not ASCII": ("ptb.valid.txt", VALID.replace(b" b-52", b" \xff-52"), r"unknown symbol b'\\xff' in line 2"),
    "Windows line ends": ("ptb.train.txt", TRAIN.replace(b"\n", b"\r\n"), "has the line ends of Windows"),
    "other text": ("ptb.train.txt", TRAIN.replace(b"old", b"new"), "is not the original: wrong checksum: sha256 "),
    "other spaces": ("ptb.train.txt", TRAIN.replace(b" aer", b"aer"), "is not the original: wrong checksum: sha256 "),
    "splits swapped": ("ptb.train.txt", VALID, "not the original: it is ptb.valid.txt; are two names swapped"),
    "layouts swapped": (
        "ptb.train.txt",
        FILES["ptb.char.train.txt"],
        "not the original: it is ptb.char.train.txt; are two names swapped",
    ),
}


@pytest.mark.parametrize(("name", "content", "message"), FAILURES.values(), ids=FAILURES)
def test_one_clear_message(folder, name, content, message):
    write(folder, WORDS)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        ptb.load_original(tiny_original())
    assert str(folder / name) in str(caught.value)  # which file
    assert "unset DNI_DATA_DIR" in str(caught.value) or "or unset it to allow the download" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (FILES["ptb.char.train.txt"][:-6], "truncated: it holds 77 of 80 symbols"),
        (FILES["ptb.char.train.txt"].replace(b"_", b"+", 1), r"unknown symbol b'\+' in line 1"),
        (FILES["ptb.char.train.txt"].replace(b"o l d", b"n e w"), "is not the original: wrong checksum: sha256 "),
        (FILES["ptb.train.txt"], "not the original: it is ptb.train.txt; are two names swapped"),
    ],
    ids=["truncated", "unknown symbol", "other text", "layouts swapped"],
)
def test_one_clear_message_about_a_file_of_characters(folder, content, message):
    write(folder, {**CHARACTERS, "ptb.char.train.txt": content})
    with pytest.raises(UserError, match=message) as caught:
        ptb.load_original(tiny_original())
    assert str(caught.value).startswith(str(folder / "ptb.char.train.txt"))


def test_a_missing_file_is_looked_for_under_both_names(folder):
    with pytest.raises(UserError) as caught:
        ptb.load_original(tiny_original())
    for place in (folder, folder.parent):
        for name in ("ptb.train.txt", "ptb.char.train.txt"):
            assert f"\n  {place / name}\n" in str(caught.value)


def test_unreadable_file(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    write(folder, WORDS)
    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(UserError, match=r"ptb.train.txt cannot be read \(Permission denied\)"):
        ptb.load_original(tiny_original())


def test_the_tiny_files_are_not_taken_for_the_real_ones(folder):
    write(folder, FILES)
    with pytest.raises(UserError, match="it holds 80 of 5017482 symbols"):
        load("ptb", "original")


def test_vocabulary():
    assert len(set(ptb.VOCABULARY)) == len(ptb.VOCABULARY) == 50
    assert ptb.VOCABULARY[0] == "\n" and list(ptb.VOCABULARY) == sorted(ptb.VOCABULARY)
    assert (ptb.TOKENS != ptb.UNKNOWN).sum() == 50


def test_addresses_and_checksums_of_the_original_files():
    """Each file of words has two addresses, and every file its own checksum."""
    assert [files.remote.names for files in ptb.ORIGINAL.values()] == list(zip(WORDS, CHARACTERS, strict=True))
    assert len({digest for files in ptb.ORIGINAL.values() for digest in files.digests.values()}) == 6
    for files in ptb.ORIGINAL.values():
        addresses = [urlparse(address) for address in files.remote.addresses]
        assert len(set(addresses)) == 2
        assert all(address.scheme == "https" and address.path.endswith(files.remote.name) for address in addresses)


needs_the_files = pytest.mark.skipif(
    not os.environ.get("DNI_DATA_DIR"), reason="needs Penn Treebank's original files: set DNI_DATA_DIR"
)


@needs_the_files
def test_the_real_files():
    dataset = load("ptb", source="original")
    assert dataset.description == (
        "Penn Treebank, characters of the original files (5017482 train, 393042 valid, 442423 test)"
    )
    # Characters and sentences, as they are known for Mikolov's files.
    counts = {"train": (4_975_414, 42_068), "valid": (389_672, 3_370), "test": (438_662, 3_761)}
    starts = {
        "train": " aer banknote berlitz calloway",
        "valid": " consumers may want to move their",
        "test": " no it was n't black monday\nbut",
    }
    for split, (characters, sentences) in counts.items():
        part = dataset.splits[split]
        tokens = np.append(part.inputs, part.labels[-1])
        assert (part.inputs[1:] == part.labels[:-1]).all()
        assert ((tokens != 0).sum(), (tokens == 0).sum()) == (characters, sentences)
        text = "".join(np.array(list(ptb.VOCABULARY))[tokens])
        assert text.startswith(starts[split][1:]) and text.endswith("\n")
        # A space stands between words and nowhere else.
        assert not any(pair in text for pair in ("  ", " \n", "\n ", "\n\n"))
    assert np.unique(dataset.splits["train"].labels).tolist() == list(range(50))


@needs_the_files
def test_the_real_files_of_both_layouts_give_the_same_stream(tmp_path, monkeypatch):
    root, streams = data_directory(), {}
    for layout in ("ptb", "ptb.char"):
        (tmp_path / layout / "ptb").mkdir(parents=True)
        for split in COUNTS:
            name = f"{layout}.{split}.txt"
            path = next((place / name for place in (root / "ptb", root) if (place / name).is_file()), None)
            if path is None:
                pytest.skip("needs the files of both layouts")
            (tmp_path / layout / "ptb" / name).symlink_to(path)
        monkeypatch.setenv("DNI_DATA_DIR", str(tmp_path / layout))
        streams[layout] = load("ptb", "original")
        assert list(streams[layout].files) == [f"{layout}.{split}.txt" for split in COUNTS]
    for split in COUNTS:
        for array in ("inputs", "labels"):
            words, characters = (getattr(dataset.splits[split], array) for dataset in streams.values())
            np.testing.assert_array_equal(words, characters)
