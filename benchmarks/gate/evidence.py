"""The records of each benchmark, new or stored, whether its two sides can be compared, and the verdict."""

from __future__ import annotations

import glob
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gate import verdict
from benchmarks.gate.settings import Gate
from benchmarks.gate.trees import SCHEMA
from impls.errors import UserError

SAME = ("case", "machine", "versions", "precision", "threads")  # entries of a record that must be equal on both sides


@dataclass
class Evidence:
    """One benchmark in one framework: records of measuring processes, and the verdict on them.

    Attributes:
        base, head: records that count. If `paired`, base[i] and head[i] were measured one after the other.
        reason: why the sides are not comparable; None if they are.
        same_code: both sides run the same code, so there is nothing to measure.
        pairs: everything that was measured live, in order, and how busy the machine was, for the stored file.
    """

    benchmark: str
    framework: str
    base: list[dict[str, Any]] = field(default_factory=list)
    head: list[dict[str, Any]] = field(default_factory=list)
    paired: bool = True
    reason: str | None = None
    same_code: bool = False
    word: str = "inconclusive"
    pairs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.framework} {self.benchmark}"

    @property
    def difference(self) -> verdict.Difference:
        """The difference of the processes' times; each time is the median of its launches."""
        base, head = (np.log([record["seconds_per_step"] for record in side]) for side in (self.base, self.head))
        return verdict.paired(head - base) if self.paired else verdict.unpaired(base, head)


@dataclass
class Comparison:
    """The labels of two sides, and the evidence on every benchmark, judged with one gate in `looks` looks."""

    base: str
    head: str
    gate: Gate
    evidence: list[Evidence]
    looks: int

    def __post_init__(self) -> None:
        margins = {e.name: self.gate.margin(e.benchmark) for e in self.evidence}
        self.family = verdict.Family(margins, self.gate.level, self.looks)

    @property
    def open(self) -> list[Evidence]:
        """Benchmarks that can be compared and have no verdict yet."""
        decided = self.family.words
        return [e for e in self.evidence if not (e.reason or e.same_code) and e.name not in decided]

    @property
    def exit_code(self) -> int:
        return verdict.exit_code([e.word for e in self.evidence])

    def look(self) -> None:
        """Compute a verdict, if possible, for every benchmark without one."""
        self.family.look({e.name: e.difference for e in self.open})
        for e in self.evidence:
            measured = "not slower" if e.same_code else self.family.words.get(e.name, "inconclusive")
            e.word = "not comparable" if e.reason else measured


def why_not_comparable(base: list[dict], head: list[dict], tolerance: float) -> str | None:
    """The first reason not to compare the times of two sides' records, or None."""
    first = base[0]
    expected, sizes = np.array(first["result"]), []
    for side, records in (("base", base), ("head", head)):
        for record in records:
            for key in SAME:
                if record[key] != first[key]:
                    return _other(key, first[key], record[key])
            if record["sources_sha256"] != records[0]["sources_sha256"]:
                return f"the code of {side} changed while it was measured"
            if not np.isfinite(record["result"]).all():
                return f"result differs: that of {side} is not finite"
            sizes.append(float(np.linalg.norm(np.array(record["result"]) - expected)))
    scale = float(np.linalg.norm(expected))
    if max(sizes) > tolerance * scale:
        share = f"{max(sizes) / scale:.2g}" if scale else "all"
        return f"result differs: by {share} of what training changed; the tolerance is {tolerance:g}"
    return None


def _other(key: str, a: Any, b: Any) -> str:
    """The entry that differs, in words; for a nested entry, the first inner one that differs."""
    if isinstance(a, dict) and isinstance(b, dict):
        key = next(name for name in {**a, **b} if a.get(name) != b.get(name))
        a, b = a.get(key, "none"), b.get(key, "none")
    return f"different {key}: {a} and {b}"


def is_stored(text: str) -> bool:
    return text.endswith(".json")


def stored(base: str, head: str, gate: Gate, fits: Callable[[str, str], bool]) -> Comparison:
    """The comparison of files from `pytest benchmarks --benchmark-json` or from `compare --save`.

    For a saved comparison, BASE stands for its base and HEAD for its head. Its pairs remain pairs if both name it.

    Args:
        base, head: one file each, or a pattern of several.
        fits: whether a benchmark, in a framework, is selected.
    """
    sides = {"base": _read(base), "head": _read(head)}
    saved = base == head and all("pairs" in entry for entry in sides["base"])
    found: dict[tuple[str, str], Evidence] = {}
    for side, entries in sides.items():
        for entry in entries:
            key = entry["benchmark"], entry["framework"]
            if not fits(*key):
                continue
            e = found.setdefault(key, Evidence(*key, paired=saved, reason=entry.get("reason")))
            pairs = [pair[side] for pair in entry.get("pairs", []) if pair["counts"]]
            getattr(e, side).extend([*pairs, *entry.get("records", [])])
            if saved and side == "base":
                e.pairs += entry["pairs"]
    for e in found.values():
        absent = next((f"no measurement in {side}" for side in sides if not getattr(e, side)), None)
        known = e.reason if saved or absent else None  # a reason that concerns another side of the file is ignored
        e.reason = known or absent or why_not_comparable(e.base, e.head, gate.result_tolerance)
    looks = max((entry.get("looks", 1) for entry in [*sides["base"], *sides["head"]]), default=1)
    comparison = Comparison(base, head, gate, list(found.values()), looks)
    comparison.look()
    return comparison


def _read(pattern: str) -> list[dict[str, Any]]:
    """One entry per benchmark and file: `benchmark`, `framework`; and `records`, or `pairs`, `looks` and `reason`."""
    paths = sorted(glob.glob(pattern))
    if not paths:
        raise UserError(f"there is no file {pattern}")
    entries: list[dict[str, Any]] = []
    for path in paths:
        try:
            content = json.loads(Path(path).read_bytes())
            if "machine_info" in content:  # pytest-benchmark's own
                records = [b["extra_info"]["record"] for b in content["benchmarks"] if "record" in b["extra_info"]]
                found = [{"benchmark": r["benchmark"], "framework": r["framework"], "records": [r]} for r in records]
            else:
                found = [entry | {"looks": content["looks"]} for entry in content["benchmarks"]]
                records = [pair[side] for entry in found for pair in entry["pairs"] for side in ("base", "head")]
            schemas = {record["schema"] for record in records}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is not a file of pytest-benchmark or `compare --save`: {error!r}") from None
        if schemas - {SCHEMA}:
            raise UserError(f"{path} contains records of another version: measure again")
        entries += found
    return entries
