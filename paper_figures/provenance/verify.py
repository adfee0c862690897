"""Whether a file of a table or figure is what the results and code at hand give, or what differs.

The file is remade in memory, with the stamp that it carries, and compared byte for byte: so it is known whether what it
shows still holds. Its stamp says which inputs have changed since, and its seal whether the file itself was edited.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from impls.errors import UserError
from paper_figures import artifacts
from paper_figures.files import sha256
from paper_figures.provenance import diff, embedding, stamps
from paper_figures.runs import ROOT

MATCHES, DIFFERS, UNKNOWN = "matches", "differs", "cannot be verified"
EDITED = "edited"
NO_STAMP = "it carries no stamp that is whole: not made by this version of the suite, or stripped of it"
STAMP_EDITED = "its stamp is not whole either, and its name and place do not tell which results it is of"
NO_RECORD = "no whole .json lies beside it, to say what it was made from"
TABLES = (".csv", ".md", ".tex")  # whose differences can be read
EXIT_CODES = {MATCHES: 0, DIFFERS: 1, UNKNOWN: 2}


@dataclass(frozen=True)
class Verdict:
    """What was found of one file: `word` is MATCHES, DIFFERS or UNKNOWN, and each of `reasons` a sentence."""

    path: Path
    word: str
    reasons: list[str]

    def __str__(self) -> str:
        if len(self.reasons) == 1:
            return f"{self.path}: {self.word}: {self.reasons[0]}"
        return "\n  - ".join([f"{self.path}: {self.word}:", *self.reasons])


@dataclass(frozen=True)
class Remade:
    """A drawing remade: its files, by suffix, with the stamp that they had; none, and why, where that fails.

    Attributes:
        stamp: what the drawing's stamp would be, now; or as much of it as can be said without drawing.
    """

    files: dict[str, bytes]
    stamp: dict[str, Any]
    error: str = ""


@dataclass
class Verifier:
    """Verifies files, one by one; what several files of one drawing need is remade once.

    Attributes:
        results: folder of the runs; None: that of each file's place, or of its stamp.
        progress: printed before what is remade; nothing is, where it is empty.
    """

    results: Path | None = None
    progress: str = ""
    _remade: dict[tuple, Remade] = field(default_factory=dict)

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
            raise UserError(f"not a file of a table or figure: those end in {' '.join(embedding.SUFFIXES)}")
        record = _record_of(path, content, self.results)
        stamp, edited = _stamp_and_edits(path, content, record)
        try:
            artifact = stamp["artifact"] if stamp else _named(path, content)
            if artifact not in artifacts.names():
                raise UserError(f"it was made as {artifact!r}, and this code has no such table or figure")
            results = self.results or _results(artifact, stamp, path, record)
        except UserError as error:
            if not (edited and edited[0].startswith(EDITED)):
                raise
            return Verdict(path, DIFFERS, [*edited, str(error) if stamp else STAMP_EDITED])
        remade = self._remake(artifact, results, stamp)
        if remade.files and suffix not in remade.files:
            raise UserError(f"not one of ours: {artifact} makes {' '.join(remade.files)}")
        changed = diff.of_stamps(stamp, remade.stamp) if stamp else []
        same = remade.files.get(suffix) == content
        if same and not changed:
            return Verdict(path, MATCHES, [_match(stamp or remade.stamp, results)])
        reasons = [*edited, *changed]
        if same:
            reasons.append("remade from these, it is the same but for its stamp: what it shows still holds")
        elif remade.error:
            reasons.append(f"it cannot be remade: {remade.error}")
        else:
            reasons += _why(suffix, content, remade.files[suffix], stamp, reasons)
        return Verdict(path, DIFFERS, reasons)

    def _remake(self, artifact: str, results: Path, stamp: dict[str, Any] | None) -> Remade:
        key = (artifact, results, stamp and stamp["stamp_sha256"])
        if key not in self._remade:
            if self.progress:
                print(f"{self.progress}: remaking {artifact} of {_shown(results)}", file=sys.stderr, flush=True)
            try:
                self._remade[key] = _remade(artifact, results, stamp)
            except Exception as error:  # the runs and the code at hand may be anything: what is wrong is the answer
                kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
                self._remade[key] = Remade({}, _what_is_left(stamp, results), f"{kind}{error}")
        return self._remade[key]


def _remade(artifact: str, results: Path, stamp: dict[str, Any] | None) -> Remade:
    """A drawing made again, with the stamp that its file carries, so that all else can be compared."""
    own: list[stamps.Stamp] = []  # the stamp that it would have by itself

    def same_stamp(*subject: Any) -> stamps.Stamp:
        own.append(stamps.stamp(*subject))
        return stamp or own[0]

    request = stamps.Request(stamps.columns_of(stamp) if stamp else 2, same_stamp)
    return Remade(artifacts.module(artifact).make(results, request), own[0])


def verify(paths: list[Path], results: Path | None) -> int:
    """Prints a verdict for each file, and for each that is a table's or figure's in each folder; returns the exit code.

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
    """The files below a folder that bear an artifact's name or a stamp; run records and others are passed over."""
    for path in sorted(folder.rglob("*")):
        if path.suffix not in embedding.SUFFIXES or path.name == "run.json" or not path.is_file():
            continue
        if path.stem in artifacts.names() or embedding.read_stamp(path.suffix, path.read_bytes()):
            yield path


def _record_of(path: Path, content: bytes, results: Path | None) -> Path | None:
    """The .json of a drawing: beside its file; for a .csv that lies elsewhere, one at hand that lists its SHA-256."""
    beside = path.with_suffix(".json")
    if path != beside and beside.is_file() and embedding.read_stamp(".json", beside.read_bytes()):
        return beside
    if path.suffix.lower() != ".csv" or (path.stem in artifacts.names() and _place(path.stem, path)):
        return None
    bases = [results] if results else [*ROOT.glob("results/*"), *ROOT.glob("results/published/*")]
    places = (base / artifacts.module(name).OUTPUT for base in bases for name in artifacts.names())
    records = (place.with_suffix(".json") for place in places)
    return next((one for one in records if one.is_file() and sha256(content).encode() in one.read_bytes()), None)


def _place(artifact: str, path: Path) -> Path | None:
    """The results folder that a file lies in, where its artifact's files go; None if it lies elsewhere."""
    output, folder = Path(artifacts.module(artifact).OUTPUT), path.resolve().parent
    base = path.resolve().parents[len(output.parts) - 1]
    return base if (base / output).parent == folder and any(base.glob("*/*~*/**/run.json")) else None


def _stamp_and_edits(path: Path, content: bytes, record: Path | None) -> tuple[dict[str, Any] | None, list[str]]:
    """The stamp that is to be believed, the file's own or else its record's; and what shows that the file is edited."""
    suffix, edits, stamp, of_record = path.suffix.lower(), [], None, None
    if record:
        written = record.read_bytes()
        of_record = _trusted(".json", written) if embedding.seal_is_whole(".json", written) else None
    if suffix == ".csv":
        if of_record and json.loads(written)["files"].get(suffix) != sha256(content):
            edits = [f"{EDITED}, or left from another drawing: not the file whose SHA-256 {record} lists"]
        elif not of_record:
            edits = [NO_RECORD]
        return of_record, edits
    stamp = _trusted(suffix, content)
    whole = embedding.seal_is_whole(suffix, content)
    if whole is None and stamp:
        edits = [f"{EDITED}, or made by an earlier version of this suite: it has a stamp and no seal"]
    elif whole is False:
        edits = [f"{EDITED}: it is not as it was sealed when it was made"]
    elif not stamp:
        edits = [NO_STAMP]
    return stamp or of_record, edits


def _trusted(suffix: str, content: bytes) -> dict[str, Any] | None:
    stamp = embedding.read_stamp(suffix, content)
    return stamp if stamp and stamps.is_whole(stamp) else None


def _named(path: Path, content: bytes) -> str:
    """The artifact of a file without a stamp: by its name, or a table's .csv by its first row."""
    if path.stem in artifacts.names():
        return path.stem
    if path.suffix.lower() == ".csv":
        rows = list(csv.reader(io.StringIO(content.decode("utf-8", "replace"))))[:2]
        if len(rows) == 2 and rows[0][:2] == ["id", "artifact"]:
            return "claims"
        if len(rows) == 2 and rows[0][:1] == ["id"] and rows[1][0].partition("/")[0] in artifacts.names():
            return rows[1][0].partition("/")[0]
    raise UserError("not one of ours, as far as it shows: no stamp in it, and not the name of a table or figure")


def _results(artifact: str, stamp: dict[str, Any] | None, path: Path, record: Path | None) -> Path:
    """The folder of the runs: the one that the file lies in, else the one that its stamp names."""
    base = _place(artifact, path) or (record and _place(artifact, record))
    if base:
        return base
    if not stamp:
        raise UserError(f"which runs is this {artifact} of? Give their folder: --results results/quick")
    folder = Path(stamp["command"].partition(" --results ")[2])
    if not (ROOT / folder).is_dir():
        raise UserError(f"its runs were in {folder}, which is not here: give their folder, --results DIR")
    return ROOT / folder


def _what_is_left(stamp: dict[str, Any] | None, results: Path) -> dict[str, Any]:
    """What can be said without remaking: the sources and runs of a stamp, as they are now."""
    runs = []
    for run in (stamp or {"runs": []})["runs"]:
        files = {"sha256": results / run["path"], "curves_sha256": (results / run["path"]).with_name("curves.parquet")}
        if all(file.is_file() for file in files.values()):
            runs.append({"path": run["path"], **{name: sha256(file.read_bytes()) for name, file in files.items()}})
    names = [name for name in (stamp or {"sources": {}})["sources"] if (ROOT / name).is_file()]
    return {"runs": runs, "sources": {name: sha256((ROOT / name).read_bytes()) for name in names}}


def _match(stamp: dict[str, Any], results: Path) -> str:
    runs = f"{len(stamp['runs'])} run{'' if len(stamp['runs']) == 1 else 's'}"
    others = diff.of_versions(stamp["versions"], stamps.versions())
    drawn = f"; with other versions to the same bytes ({others})" if others else ""
    inputs = f"{runs} of {_shown(results)}; commit {stamps.commit(stamp)}"
    return f"made from the results and code at hand ({inputs}{drawn})"


def _shown(results: Path) -> str:
    absolute = results.resolve()
    return (absolute.relative_to(ROOT) if absolute.is_relative_to(ROOT) else results).as_posix()


def _why(suffix: str, found: bytes, remade: bytes, stamp: dict[str, Any] | None, reasons: list[str]) -> list[str]:
    """Why a file is not as remade, after the `reasons` that are known already."""
    where = diff.of_contents(suffix, found, remade)
    others = diff.of_versions(stamp["versions"], stamps.versions()) if stamp else ""
    if reasons:
        # An image shows where it was edited only if nothing else makes it another one.
        legible = suffix in TABLES or (len(reasons) == 1 and reasons[0].startswith((EDITED, NO_STAMP)))
        lines = where if legible else ["remade from these, it is another one"]
        return [*lines, *([f"made with other versions: {others}"] if others else [])]
    if others:
        return [
            f"made with other versions: {others}. All else is as it was, and its seal is whole: "
            "that it has other bytes here may be for this alone"
        ]
    return [
        "it has other bytes when remade here, of the same runs, sources and versions: edited and then sealed anew, or "
        "drawn on a machine that computes or compresses otherwise",
        *where,
    ]
