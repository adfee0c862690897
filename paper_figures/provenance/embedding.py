"""How a file of each kind carries its stamp and its seal: for writing, and for reading it back.

| file | stamp (the whole of it, as JSON) | seal |
|---|---|---|
| .json | entry `stamp` | entry `seal_sha256` |
| .pdf | `Stamp` of the information dictionary, beside a `Subject` in one line | `Seal` |
| .svg | `dc:source` of the metadata, beside a `dc:description` in one line | `dc:identifier` |
| .png | text chunk `Stamp`, beside a `Description` in one line | text chunk `Seal` |
| .md, .html, .tex | a comment at the end | its last line |
| .csv | none, for want of comments: the .json beside has its stamp, and the SHA-256 of every file of the drawing | |

A seal is the SHA-256 of the file without the seal. It shows an edit where the file cannot be remade: the runs have
changed since, or another version of matplotlib draws other bytes. (Who edits a file may seal it anew; a remake tells.)
"""

from __future__ import annotations

import html
import json
import re
import zlib
from typing import Any

from paper_figures.files import sha256

BLANK = "0" * 64  # stands where the seal will be
# What stands directly before a stamp, and around a seal: the group is what the seal leaves out.
_STAMPS = {
    ".pdf": rb"/Stamp \(",
    ".svg": rb"<dc:source>",
    ".png": rb"tEXtStamp\0",
    ".md": rb"<!-- Stamp: ",
    ".html": rb"<!-- Stamp: ",
    ".tex": rb"\n% Stamp: ",
}
_DIGITS = rb"([^\n]{64})"  # hexadecimal, until somebody changes one
_SEALS = {
    ".json": rb'"seal_sha256": "' + _DIGITS,
    ".pdf": rb"/Seal \(" + _DIGITS,
    ".svg": rb"<dc:identifier>" + _DIGITS,
    ".png": rb"(?s)tEXtSeal\0(.{64}.{4})",  # the chunk's checksum depends on the seal
    ".md": rb"\nSeal: " + _DIGITS,
    ".html": rb"\nSeal: " + _DIGITS,
    ".tex": rb"\n% Seal: " + _DIGITS,
}
SUFFIXES = (*_SEALS, ".csv")
_PDF_ESCAPES = {"n": "\n", "r": "\r"}


def text(stamp: dict[str, Any]) -> str:
    """The stamp as ASCII JSON, with a line for each run, and without `--`, which would end some comments."""
    return json.dumps(stamp).replace('{"path": ', '\n{"path": ').replace("--", "-\\u002d")


def with_comment(suffix: str, content: str, stamp: dict[str, Any]) -> bytes:
    """A .md, .html or .tex text with its stamp and a blank seal in a comment at its end."""
    comment = f"Stamp: {text(stamp)}\nSeal: {BLANK}"
    if suffix == ".tex":
        return (content + "".join(f"% {line}\n" for line in comment.split("\n"))).encode()
    return f"{content}\n<!-- {comment}\n-->\n".encode()


def sealed(contents: dict[str, bytes], title: str, stamp: dict[str, Any], **further: str) -> dict[str, bytes]:
    """The files of a drawing, by suffix, each with its seal in place of the blank one; and the .json beside them.

    Args:
        contents: of the files, which carry the stamp (but for a .csv).
        further: entries of the .json after the title, such as the caption.
    """
    contents = {suffix: _seal(suffix, content) for suffix, content in contents.items()}
    files = {suffix: sha256(content) for suffix, content in contents.items()}
    record = {"title": title, **further, "files": files, "stamp": stamp, "seal_sha256": BLANK}
    return {**contents, ".json": _seal(".json", (json.dumps(record, indent=1) + "\n").encode())}


def read_stamp(suffix: str, content: bytes) -> dict[str, Any] | None:
    """The stamp that a file carries; None where it has none that can be read."""
    try:
        if suffix == ".json":
            stamp = json.loads(content)["stamp"]
        else:
            found = re.search(_STAMPS[suffix], content)
            start = found.end() if found else len(content)
            written = _unescaped(suffix, content[start:].decode("latin-1"))
            stamp, _ = json.JSONDecoder().raw_decode(written)
        complete = {"stamp_sha256", "artifact", "command", "sources", "versions", "runs"} <= stamp.keys()
    except (KeyError, AttributeError, TypeError, ValueError):  # no such place, or not what stands there
        return None
    return stamp if complete else None


def seal_is_whole(suffix: str, content: bytes) -> bool | None:
    """Whether the file is as it was sealed; None where it has no seal."""
    found = re.search(_SEALS[suffix], content) if suffix in _SEALS else None
    return found and found[1][:64] == sha256(content[: found.start(1)] + content[found.end(1) :]).encode()


def _seal(suffix: str, content: bytes) -> bytes:
    if suffix not in _SEALS:
        return content
    found = re.search(_SEALS[suffix], content)
    if found is None:
        raise ValueError(f"a {suffix} without the place for its seal")
    start, end = found.span(1)
    seal = sha256(content[:start] + content[end:]).encode()
    checksum = zlib.crc32(b"tEXtSeal\0" + seal).to_bytes(4, "big") if suffix == ".png" else b""
    return content[:start] + seal + checksum + content[end:]


def _unescaped(suffix: str, written: str) -> str:
    """What follows the beginning of a stamp in a file, without the escapes of that kind of file."""
    if suffix == ".pdf":
        return re.sub(r"(?s)\\(.)", lambda found: _PDF_ESCAPES.get(found[1], found[1]), written)
    if suffix == ".svg":
        return html.unescape(written)
    return written.replace("\n% ", "\n") if suffix == ".tex" else written
