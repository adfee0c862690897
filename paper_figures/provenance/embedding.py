"""How a file of each kind contains its stamp: for writing, and for reading it back.

| file | the whole stamp, as JSON | its summary in one line |
|---|---|---|
| .json | entry `stamp` | none |
| .pdf | `Stamp` of the information dictionary | `Subject` |
| .svg | `dc:source` of the metadata | `dc:description` |
| .png | text chunk `Stamp` | text chunk `Description` |
| .md, .html, .tex | a comment at the end | in the text |
| .csv | none, because CSV has no comments | none |

The .json is the record of a drawing: it lists the SHA-256 of each of the other files. Its own *seal* is the SHA-256 of
the .json without the seal. So an edit is detected even if the drawing cannot be made again because the runs or the
versions have changed. A seal is no signature: somebody who edits a file can write a new one, but then the file differs
from the drawing made again.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

from paper_figures.files import sha256

_BLANK = "0" * 64  # replaced by the seal
_SEAL = re.compile(rb'"seal_sha256": "([^\n]{64})')  # hexadecimal, unless it was edited
_STAMPS = {  # what precedes a stamp
    ".pdf": rb"/Stamp \(",
    ".svg": rb"<dc:source>",
    ".png": rb"tEXtStamp\0",
    ".md": rb"<!-- Stamp: ",
    ".html": rb"<!-- Stamp: ",
    ".tex": rb"\n% Stamp: ",
}
SUFFIXES = (*_STAMPS, ".csv", ".json")
_PDF_ESCAPES = {"n": "\n", "r": "\r"}


def text(stamp: dict[str, Any]) -> str:
    """The stamp as ASCII JSON, with a line for each run, and without `--`, which would end some comments."""
    return json.dumps(stamp).replace('{"path": ', '\n{"path": ').replace("--", "-\\u002d")


def with_comment(suffix: str, content: str, stamp: dict[str, Any]) -> bytes:
    """A .md, .html or .tex text with its stamp in a comment at its end."""
    comment = f"Stamp: {text(stamp)}"
    if suffix == ".tex":
        return (content + "".join(f"% {line}\n" for line in comment.split("\n"))).encode()
    return f"{content}\n<!-- {comment}\n-->\n".encode()


def with_record(contents: dict[str, bytes], title: str, stamp: dict[str, Any], **further: str) -> dict[str, bytes]:
    """The files of a drawing and its record, the .json, by suffix.

    Args:
        contents: the files, with their stamps (except a .csv).
        further: entries of the .json after the title, such as the caption.
    """
    files = {suffix: sha256(content) for suffix, content in contents.items()}
    record = {"title": title, **further, "files": files, "stamp": stamp, "seal_sha256": _BLANK}
    return {**contents, ".json": _seal((json.dumps(record, indent=1) + "\n").encode())}


def read_stamp(suffix: str, content: bytes) -> dict[str, Any] | None:
    """The stamp in a file; None if the file has none that can be read."""
    try:
        if suffix == ".json":
            stamp = json.loads(content)["stamp"]
        else:
            found = re.search(_STAMPS[suffix], content)
            start = found.end() if found else len(content)
            written = _unescaped(suffix, content[start:].decode("latin-1"))
            stamp, _ = json.JSONDecoder().raw_decode(written)
        complete = {"stamp_sha256", "artifact", "command", "sources", "versions", "runs"} <= stamp.keys()
    except (KeyError, AttributeError, TypeError, ValueError):  # no stamp, or one that is not well formed
        return None
    return stamp if complete else None


def seal_is_whole(record: bytes) -> bool:
    """Whether the content of a .json is what was sealed."""
    found = _SEAL.search(record)
    return found is not None and found[1] == _digest(record, found)


def _seal(record: bytes) -> bytes:
    found = _SEAL.search(record)
    assert found, "the record has no place for its seal"
    return record[: found.start(1)] + _digest(record, found) + record[found.end(1) :]


def _digest(record: bytes, found: re.Match[bytes]) -> bytes:
    return sha256(record[: found.start(1)] + record[found.end(1) :]).encode()


def _unescaped(suffix: str, written: str) -> str:
    """The rest of a file from the beginning of its stamp, without the escapes of that kind of file."""
    if suffix == ".pdf":
        return re.sub(r"(?s)\\(.)", lambda found: _PDF_ESCAPES.get(found[1], found[1]), written)
    if suffix == ".svg":
        return html.unescape(written)
    return written.replace("\n% ", "\n") if suffix == ".tex" else written
