"""Whether a file of a table or figure is what the results and the code on this machine give, or what differs.

The drawing is made again in memory, with the stamp that the file contains, and compared byte by byte. The stamp tells
which inputs have changed since. The record beside the file, a .json, tells whether the file itself was edited.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from impls.errors import UserError
from impls.workers.times import TIMES
from paper_figures import registry
from paper_figures.files import sha256
from paper_figures.provenance import diff, embedding, stamps
from paper_figures.provenance.stamps import Stamp
from paper_figures.runs import ROOT

MATCHES, DIFFERS, UNKNOWN = "matches", "differs", "cannot be verified"
EDITED = "edited"
NO_STAMP = "it has no valid stamp: not made by this version of the suite, or the stamp was removed or damaged"
NO_RECORD = "there is no valid .json beside it that says what it was made from"
TABLES = (".csv", ".md", ".tex")  # files whose differences can be read
EXIT_CODES = {MATCHES: 0, DIFFERS: 1, UNKNOWN: 2}


@dataclass(frozen=True)
class Verdict:
    """The result for one file: `word` is MATCHES, DIFFERS or UNKNOWN, and each of `reasons` is a sentence."""

    path: Path
    word: str
    reasons: list[str]

    def __str__(self) -> str:
        if len(self.reasons) == 1:
            return f"{self.path}: {self.word}: {self.reasons[0]}"
        return "\n  - ".join([f"{self.path}: {self.word}:", *self.reasons])


@dataclass(frozen=True)
class Record:
    """The .json of a drawing, if neither it nor its stamp was edited.

    Attributes:
        files: SHA-256 of each of the drawing's other files, by suffix.
    """

    path: Path
    files: dict[str, str]
    stamp: Stamp


@dataclass(frozen=True)
class Redrawing:
    """A drawing made again.

    Attributes:
        files: its content by suffix, with the stamp of the verified file; empty if it cannot be made.
        stamp: the stamp that the drawing would have now; without a drawing, as much of it as is known.
        error: why it cannot be made.
    """

    files: dict[str, bytes]
    stamp: Stamp
    error: str = ""


@dataclass
class Verifier:
    """Verifies files, one by one. A drawing with several files is made again once.

    Attributes:
        results: folder of the runs; None: the folder that a file is in, or that its stamp names.
        progress: printed before a drawing is made again; empty: nothing is printed.
    """

    results: Path | None = None
    progress: str = ""
    _redrawn: dict[tuple, Redrawing] = field(default_factory=dict)

    def verify(self, path: Path) -> Verdict:
        """The verdict on one file; never raises for what is wrong with it."""
        try:
            return self._judge(path, path.read_bytes())
        except OSError as error:
            return Verdict(path, UNKNOWN, [f"it cannot be read: {error.strerror or error}"])
        except UserError as error:
            return Verdict(path, UNKNOWN, [str(error)])

    def _judge(self, path: Path, content: bytes) -> Verdict:
        suffix = path.suffix.lower()
        if suffix not in embedding.SUFFIXES:
            raise UserError(f"not a file of a table or figure: their names end in {' '.join(embedding.SUFFIXES)}")
        record = _record_of(path, content, self.results)
        stamp, edits = _stamp_and_edits(suffix, content, record)
        try:
            artifact = stamp["artifact"] if stamp else _named(path, content)
            if artifact not in registry.names():
                raise UserError(f"it was made as {artifact!r}, and this code has no such table or figure")
            results = self.results or _results(artifact, stamp, path, record)
        except UserError as error:
            if not any(edit.startswith(EDITED) for edit in edits):
                raise
            return Verdict(path, DIFFERS, [*edits, str(error)])
        redrawn = self._redraw(artifact, results, stamp)
        if redrawn.files and suffix not in redrawn.files:
            raise UserError(f"not a file of this suite: {artifact} has {' '.join(redrawn.files)}")
        changed = diff.changed_inputs(stamp, redrawn.stamp) if stamp else []
        same = redrawn.files.get(suffix) == content
        if same and not changed:
            return Verdict(path, MATCHES, [_match(stamp or redrawn.stamp, results)])
        reasons = [*edits, *changed]
        if same:
            reasons.append("drawn again from these inputs, only its stamp differs: what it shows is still valid")
        elif redrawn.error:
            reasons.append(f"it cannot be drawn again: {redrawn.error}")
        else:
            reasons += _differences(suffix, content, redrawn.files[suffix], stamp, reasons)
        return Verdict(path, DIFFERS, reasons)

    def _redraw(self, artifact: str, results: Path, stamp: Stamp | None) -> Redrawing:
        key = (artifact, results, stamp and stamp["stamp_sha256"])
        if key not in self._redrawn:
            if self.progress:
                print(f"{self.progress}: drawing {artifact} from {_shown(results)}", file=sys.stderr, flush=True)
            try:
                self._redrawn[key] = _redraw(artifact, results, stamp)
            except Exception as error:  # any runs, any code: the reason why it fails is part of the verdict
                kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
                self._redrawn[key] = Redrawing({}, _known_inputs(stamp, results), f"{kind}{error}")
        return self._redrawn[key]


def _redraw(artifact: str, results: Path, stamp: Stamp | None) -> Redrawing:
    """The drawing made again with the stamp of the verified file, so that everything else can be compared."""
    current: list[Stamp] = []

    def same_stamp(*subject: Any) -> Stamp:
        current.append(stamps.stamp(*subject))
        return stamp or current[0]

    _, request = stamps.requested(stamp) if stamp else ("", stamps.USUAL)
    request = replace(request, stamped_by=same_stamp)
    return Redrawing(registry.module(artifact).make(results, request), current[0])


def verify(paths: list[Path], results: Path | None) -> int:
    """Prints a verdict for each file, and for each file of a drawing in each folder; returns the exit code.

    0: all match. 1: at least one differs. 2: none differs, but at least one cannot be verified.
    """
    if results is not None and not results.is_dir():
        raise UserError(f"{results}: no such folder. Give the folder of the runs, such as --results results/quick.")
    files = [file for path in paths for file in (_inside(path) if path.is_dir() else [path])]
    if not files:
        raise UserError(f"no table or figure in {', '.join(map(str, paths))}.")
    verifier, found = Verifier(results), dict.fromkeys(EXIT_CODES, 0)
    for number, file in enumerate(files, start=1):
        verifier.progress = f"file {number} of {len(files)}" if len(files) > 1 else ""
        verdict = verifier.verify(file)
        found[verdict.word] += 1
        print(verdict, flush=True)
    if len(files) > 1:
        counts = (found[word] for word in (MATCHES, DIFFERS, UNKNOWN))
        print("{} files: {} match, {} differ, {} cannot be verified".format(len(files), *counts))
    return next((EXIT_CODES[word] for word in (DIFFERS, UNKNOWN) if found[word]), 0)


def _inside(folder: Path) -> Iterator[Path]:
    """The files below a folder that have an artifact's name or a stamp; others, such as run records, are left out."""
    for path in sorted(folder.rglob("*")):
        if path.suffix not in embedding.SUFFIXES or path.name == "run.json" or not path.is_file():
            continue
        if path.stem in registry.names() or embedding.read_stamp(path.suffix, path.read_bytes()):
            yield path


def _record_of(path: Path, content: bytes, results: Path | None) -> Record | None:
    """The record beside a file. For a .csv in another place: one in `results` that lists its SHA-256."""
    beside = path.with_suffix(".json")
    if path == beside:
        return None
    if record := _read_record(beside):
        return record
    if path.suffix.lower() != ".csv" or (path.stem in registry.names() and _base(path.stem, path)):
        return None
    folders = [results] if results else [*ROOT.glob("results/*"), *ROOT.glob("results/published/*")]
    places = (folder / registry.module(name).OUTPUT for folder in folders for name in registry.names())
    records = filter(None, (_read_record(place.with_suffix(".json")) for place in places))
    return next((record for record in records if record.files.get(".csv") == sha256(content)), None)


def _read_record(path: Path) -> Record | None:
    """The record in a .json; None if there is none, or if it was edited."""
    content = path.read_bytes() if path.is_file() else b""
    stamp = _valid_stamp(".json", content)
    return Record(path, json.loads(content)["files"], stamp) if stamp and embedding.seal_is_whole(content) else None


def _stamp_and_edits(suffix: str, content: bytes, record: Record | None) -> tuple[Stamp | None, list[str]]:
    """The stamp of a file, or of its record if the file has no valid one; and what shows that the file was edited."""
    stamp = _valid_stamp(suffix, content)
    edits = []
    if suffix == ".json" and not embedding.seal_is_whole(content):
        edits = [f"{EDITED}: its seal does not match its content"]
    elif record and (stamp in (None, record.stamp)) and record.files.get(suffix) != sha256(content):
        edits = [f"{EDITED}, or left from another drawing: {record.path} lists another SHA-256"]
    elif not stamp and embedding.read_stamp(suffix, content):
        edits = [f"{EDITED}: its stamp is not what was written"]
    elif not stamp and not record:
        edits = [NO_RECORD if suffix == ".csv" else NO_STAMP]
    return stamp or (record.stamp if record else None), edits


def _valid_stamp(suffix: str, content: bytes) -> Stamp | None:
    stamp = embedding.read_stamp(suffix, content)
    return stamp if stamp and stamps.is_whole(stamp) else None


def _base(artifact: str, path: Path) -> Path | None:
    """The results folder that a file is in, at the usual place of its artifact; None if it is somewhere else."""
    output, folder = Path(registry.module(artifact).OUTPUT), path.resolve().parent
    base = path.resolve().parents[len(output.parts) - 1]
    return base if (base / output).parent == folder and any(base.glob("*/*~*/**/run.json")) else None


def _named(path: Path, content: bytes) -> str:
    """The artifact of a file without a stamp: by its name, or a table's .csv by its first row."""
    if path.stem in registry.names():
        return path.stem
    if path.suffix.lower() == ".csv":
        rows = list(csv.reader(io.StringIO(content.decode("utf-8", "replace"))))[:2]
        if len(rows) == 2 and rows[0][:2] == ["id", "artifact"]:
            return "claims"
        if len(rows) == 2 and rows[0][:1] == ["id"] and rows[1][0].partition("/")[0] in registry.names():
            return rows[1][0].partition("/")[0]
    raise UserError("not a file of this suite: it has no valid stamp, and not the name of a table or figure")


def _results(artifact: str, stamp: Stamp | None, path: Path, record: Record | None) -> Path:
    """The folder of the runs: the one that the file or its record is in, else the one that the stamp names."""
    base = _base(artifact, path) or (record and _base(artifact, record.path))
    if base:
        return base
    if not stamp:
        raise UserError(f"the folder of its runs is not known: give it, --results results/quick ({artifact})")
    folder = Path(stamps.requested(stamp)[0])
    if not (ROOT / folder).is_dir():
        raise UserError(f"its runs were in {folder}, which is not here: give their folder, --results DIR")
    return ROOT / folder


def _known_inputs(stamp: Stamp | None, results: Path) -> Stamp:
    """The part of a stamp that is known without a drawing: the sources and runs of `stamp`, as they are now."""
    runs = []
    for run in (stamp or {"runs": []})["runs"]:
        files = {"sha256": results / run["path"], "curves_sha256": (results / run["path"]).with_name("curves.parquet")}
        files |= {"times_sha256": results / Path(run["path"]).parts[0] / TIMES} if "times_sha256" in run else {}
        if all(file.is_file() for file in files.values()):
            runs.append({"path": run["path"], **{name: sha256(file.read_bytes()) for name, file in files.items()}})
    names = [name for name in (stamp or {"sources": {}})["sources"] if (ROOT / name).is_file()]
    return {"runs": runs, "sources": {name: sha256((ROOT / name).read_bytes()) for name in names}}


def _match(stamp: Stamp, results: Path) -> str:
    runs = f"{len(stamp['runs'])} run{'' if len(stamp['runs']) == 1 else 's'}"
    others = diff.changed_versions(stamp["versions"], stamps.versions())
    drawn = f"; other versions give the same bytes ({others})" if others else ""
    inputs = f"{runs} of {_shown(results)}; commit {stamps.commit_in_words(stamp)}"
    return f"made from the results and the code on this machine ({inputs}{drawn})"


def _shown(results: Path) -> str:
    absolute = results.resolve()
    return (absolute.relative_to(ROOT) if absolute.is_relative_to(ROOT) else results).as_posix()


def _differences(suffix: str, found: bytes, redrawn: bytes, stamp: Stamp | None, reasons: list[str]) -> list[str]:
    """Why a file is not the same as the drawing made again, besides the `reasons` that are known already."""
    where = diff.first_difference(suffix, found, redrawn)
    others = diff.changed_versions(stamp["versions"], stamps.versions()) if stamp else ""
    if reasons:
        # In an image the place tells something only if an edit is the only reason.
        readable = suffix in TABLES or (len(reasons) == 1 and reasons[0].startswith((EDITED, NO_STAMP)))
        lines = where if readable else ["drawn again from these inputs, it is different"]
        return [*lines, *([f"made with other versions: {others}"] if others else [])]
    if others:
        return [f"made with other versions: {others}. Nothing else has changed, so this may be the only reason"]
    return [
        "drawn again from the same runs, sources and versions, it is different: it was edited, or it was drawn on a "
        "machine that computes or compresses differently",
        *where,
    ]
