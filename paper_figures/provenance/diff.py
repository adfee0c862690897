"""What changed between two stamps, and where two files of one drawing differ, in words."""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from impls.repository import git
from paper_figures.files import CLAIMS_FILE, sha256
from paper_figures.provenance.stamps import CLAIMS

MOST = 10  # differences of one kind that are listed; the others are counted
MOST_CELLS = 3  # of one row
WIDTH = 60  # characters of a line that are shown around the first difference
TIMES_HASH = "times_sha256"
HASHES = {"sha256", "curves_sha256", TIMES_HASH}
KEYS = ("id", "framework", "source", "seed", "iteration")  # columns that identify a row of a .csv


def changed_inputs(recorded: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The sources, claims, runs and data that changed since the stamp `recorded` was written.

    Args:
        now: the stamp of the drawing made again; or, if it cannot be made, the `sources` and `runs` as they are now.
    """
    return [*_sources(recorded, now), *_claims(recorded, now), *_runs(recorded, now), *_data(recorded, now)]


def changed_versions(recorded: dict[str, str], here: dict[str, str]) -> str:
    """The versions that are different here: "matplotlib 3.9.1, here 3.11.2; ..."; empty if all are the same.

    A library that an older stamp does not name is left out.
    """
    changed = [name for name in recorded if recorded[name] != here.get(name)]
    return "; ".join(f"{name} {recorded[name]}, here {here.get(name, 'absent')}" for name in changed)


def first_difference(suffix: str, found: bytes, redrawn: bytes) -> list[str]:
    """Where a file differs from the drawing made again: cells of a .csv, else the first line or byte."""
    if suffix in (".pdf", ".png"):
        return [_first_byte(found, redrawn)]
    texts = [content.decode("utf-8", "replace") for content in (found, redrawn)]
    cells = _cells(*(list(csv.reader(io.StringIO(text))) for text in texts)) if suffix == ".csv" else []
    return cells or [_first_line(*(text.split("\n") for text in texts))]


def capped(lines: Iterable[str]) -> list[str]:
    """At most `MOST` lines, and the number of further lines."""
    lines = list(lines)
    return lines if len(lines) <= MOST else [*lines[:MOST], f"and {len(lines) - MOST} more of this kind"]


def _sources(recorded: dict[str, Any], now: dict[str, Any]) -> list[str]:
    old, new = (
        {name: stamp["sources"][name] for name in stamp["sources"] if name != CLAIMS} for stamp in (recorded, now)
    )
    kinds = {
        "changed": [name for name in old if name in new and old[name] != new[name]],
        "deleted, or no longer imported": [name for name in old if name not in new],
        "new": [name for name in new if name not in old],
    }
    lines = [f"source {kind}: {', '.join(names)}" for kind, names in kinds.items() if names]
    commit = recorded.get("git_commit")
    if kinds["changed"] and commit and not recorded["git_dirty"]:
        lines[0] += f" (git diff {commit[:10]} -- paper_figures)"
    return lines


def _claims(recorded: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Which published numbers or margins changed, if git has the table that the stamp names."""
    if recorded["sources"].get(CLAIMS) == now["sources"].get(CLAIMS):
        return []
    old = _committed(CLAIMS, recorded["sources"].get(CLAIMS))
    if old is None:
        return [f"claims changed: {CLAIMS} (which ones is not known: no commit here has the old file)"]
    before, after = ({row["id"]: row for row in csv.DictReader(io.StringIO(text.decode()))} for text in
                     (old, CLAIMS_FILE.read_bytes()))  # fmt: skip
    lines = [f"claim deleted: {claim}" for claim in before if claim not in after]
    lines += [f"claim new: {claim}" for claim in after if claim not in before]
    for claim in before.keys() & after.keys():
        columns = [name for name in before[claim] if before[claim][name] != after[claim].get(name)]
        changes = ", ".join(f"{name} {before[claim][name]!r}, now {after[claim].get(name)!r}" for name in columns)
        lines += [f"claim changed: {claim}: {changes}"] if columns else []
    return capped(sorted(lines)) or [f"claims changed: {CLAIMS} has the same claims in another form"]


def _committed(path: str, wanted: str | None) -> bytes | None:
    """The content with this SHA-256 of a file, from any commit."""
    try:
        for commit in git("log", "--format=%H", "--", path).decode().split():
            content = git("show", f"{commit}:{path}")
            if sha256(content) == wanted:
                return content
    except (OSError, subprocess.CalledProcessError):  # no git, not a clone; or a commit that deleted the file
        pass
    return None


def _runs(recorded: dict[str, Any], now: dict[str, Any]) -> list[str]:
    old, new = ({run["path"]: run for run in stamp["runs"]} for stamp in (recorded, now))
    lines = [f"run missing: {path}" for path in old if path not in new]
    lines += [f"run new: {path}" for path in new if path not in old]
    for path in (path for path in old if path in new):
        before, after = old[path], new[path]
        if before["sha256"] != after["sha256"]:
            # Only entries that both stamps have, in the same form.
            names = [name for name in before if name in after and type(before[name]) is type(after[name])]
            names = [name for name in names if before[name] != after[name] and name not in HASHES]
            changes = ", ".join(f"{name} {before[name]}, now {after[name]}" for name in names)
            lines.append(f"run record changed: {path}" + (f" ({changes})" if changes else ""))
        if before["curves_sha256"] != after["curves_sha256"]:
            lines.append(f"curves changed: {Path(path).with_name('curves.parquet').as_posix()}")
    changed = (path for path in old if path in new and old[path].get(TIMES_HASH) != new[path].get(TIMES_HASH))
    lines += [f"times of workers changed: {folder}" for folder in sorted({Path(path).parts[0] for path in changed})]
    return capped(lines)


def _data(recorded: dict[str, Any], now: dict[str, Any]) -> list[str]:
    if "data" not in recorded or "data" not in now:
        return []
    old, new = (
        {(entry["name"], entry["source"]): entry["files"] for entry in stamp["data"]} for stamp in (recorded, now)
    )
    lines = [f"data no longer used: {name} ({source})" for name, source in old if (name, source) not in new]
    lines += [f"data new: {name} ({source})" for name, source in new if (name, source) not in old]
    for name, source in old.keys() & new.keys():
        before, after = old[name, source], new[name, source]
        files = sorted(file for file in before.keys() | after.keys() if before.get(file) != after.get(file))
        lines += [f"data changed: {name} ({source}): other checksums of {', '.join(files)}"] if files else []
    return capped(lines)


def _cells(found: list[list[str]], redrawn: list[list[str]]) -> list[str]:
    """The cells that differ, by row; empty if the two tables do not have the same shape."""
    if [len(row) for row in found] != [len(row) for row in redrawn] or not found or found[0] != redrawn[0]:
        return []
    columns, lines = found[0], []
    for number, (ours, others) in enumerate(zip(found[1:], redrawn[1:], strict=True), start=2):
        place = " ".join(value for name, value in zip(columns, others, strict=True) if name in KEYS and value)
        cells = [
            f"{name} {one!r}, when drawn again here {other!r}"
            for name, one, other in zip(columns, ours, others, strict=True)
            if one != other
        ]
        more = [f"and {len(cells) - MOST_CELLS} more columns"] if len(cells) > MOST_CELLS else []
        lines += [f"line {number} ({place}): " + "; ".join(cells[:MOST_CELLS] + more)] if cells else []
    return capped(lines)


def _first_line(found: list[str], redrawn: list[str]) -> str:
    pairs = enumerate(zip(found, redrawn, strict=False), start=1)
    for number, (one, other) in pairs:
        if one != other:
            shared = next(
                (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
            )
            start = max(0, shared - WIDTH // 2)
            one, other = (repr(text[start : start + WIDTH]) for text in (one, other))
            return f"line {number} is the first that differs: {one} in the file, {other} when drawn again here"
    return f"{len(found)} lines in the file, {len(redrawn)} when drawn again here"


def _first_byte(found: bytes, redrawn: bytes) -> str:
    sizes = f"; {len(found)} bytes in the file, {len(redrawn)} when drawn again here"
    sizes = sizes if len(found) != len(redrawn) else ""
    at = next((i for i, (one, other) in enumerate(zip(found, redrawn, strict=False)) if one != other), None)
    return f"one is the beginning of the other{sizes}" if at is None else f"byte {at} is the first that differs{sizes}"
