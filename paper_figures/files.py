"""Writing whole files or none, and hashing them."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from impls.engine.files import opened_temporary

CLAIMS_FILE = Path(__file__).parent / "claims" / "claims.csv"  # the published numbers
CLAIMS_DATES = CLAIMS_FILE.with_suffix(".json")  # since when each of them has been as it is
JUDGED_CLAIMS = "claims.csv"  # in a results folder: the same numbers beside ours, with verdicts


def sha256(content: bytes) -> str:
    """The hexadecimal SHA-256 of `content`."""
    return hashlib.sha256(content).hexdigest()


def table_csv(table: pd.DataFrame) -> bytes:
    """`table` as CSV with six significant digits, so that rounding in the last bit does not change the file.

    A text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    texts = {name: column.map(_no_formula) for name, column in table.items() if column.dtype == object}
    table = table.assign(**{str(name): column for name, column in texts.items()})
    return table.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode()


def _no_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def write_together(contents: dict[Path, bytes]) -> None:
    """Writes several files, each atomically: all are complete on disk before the first one takes its name.

    A kill leaves the old files or the new ones (between two renames: some of each), and never half a file.
    """
    waiting: dict[Path, BinaryIO] = {}
    with contextlib.ExitStack() as opened:
        try:
            for path, content in sorted(contents.items()):  # two processes wait for each other's files in one order
                path.parent.mkdir(parents=True, exist_ok=True)
                waiting[path] = file = opened.enter_context(opened_temporary(path))
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            for path in list(waiting):
                os.replace(waiting[path].name, path)
                del waiting[path]
        finally:
            for left in waiting.values():
                Path(left.name).unlink(missing_ok=True)
