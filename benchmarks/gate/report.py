"""A comparison as lines for a terminal, as a Markdown summary for a pull request, and as JSON with every pair."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics

from benchmarks.gate.evidence import Comparison, Evidence
from benchmarks.gate.verdict import EXIT_CODES

MEANINGS = {
    "slower": "slower by more than the margin",
    "not comparable": "the two sides cannot be compared",
    "inconclusive": "too much noise for the number of pairs",
    "not slower": "slower by less than the margin, if at all",
}


def percent(log_ratio: float) -> str:
    """A log ratio of times as a change in percent: 0.0953 is +10.0%."""
    return f"{100 * math.expm1(log_ratio):+.1f}%" if log_ratio < 7 else "far more"


def findings(comparison: Comparison, e: Evidence) -> str:
    """One clause on one benchmark: the reason, or the change and its interval."""
    if e.reason:
        return e.reason
    if e.same_code:
        return "both sides have the same code in impls/: nothing was measured"
    difference = e.difference
    if math.isinf(difference.error):
        return f"{percent(difference.mean)}; one process per side does not show how processes differ: measure more"
    low, high = difference.interval(comparison.gate.level / comparison.looks)
    unit = "pairs" if e.paired else "processes per side"
    busy = sum(pair["busy"] for pair in e.pairs if pair["counts"])
    note = f", {busy} of them on a busy machine" if busy else ""
    return f"{percent(difference.mean)} ({percent(low)} to {percent(high)}), {difference.n} {unit}{note}"


def _sorted(comparison: Comparison) -> list[Evidence]:
    """The evidence, with what needs attention first."""
    return sorted(comparison.evidence, key=lambda e: list(EXIT_CODES).index(e.word))


def _summary(comparison: Comparison) -> str:
    words = [e.word for e in comparison.evidence]
    return ", ".join(f"{words.count(word)} {word}" for word in EXIT_CODES if word in words)


def as_text(comparison: Comparison) -> str:
    """One line per benchmark, then a summary."""
    width = max(len(e.name) for e in comparison.evidence)
    lines = [f"{e.word:14} {e.name:{width}}  {findings(comparison, e)}" for e in _sorted(comparison)]
    return "\n".join([*lines, f"{_summary(comparison)}: exit code {comparison.exit_code}"])


def as_markdown(comparison: Comparison) -> str:
    """A summary for a pull request."""
    gate = comparison.gate
    lines = [
        f"### Speed: {_summary(comparison)}",
        "",
        f"BASE is {comparison.base}, HEAD is {comparison.head}.",
        "",
        "| verdict | benchmark | BASE, ms/step | HEAD, ms/step | HEAD, model-steps/s | HEAD takes | margin |",
        "|---|---|---|---|---|---|---|",
    ]
    for e in _sorted(comparison):
        times = [_median(side, "seconds_per_step", 1e3) for side in (e.base, e.head)]
        cells = [f"**{e.word}**" if e.word == "slower" else e.word, e.name, *times]
        cells += [_median(e.head, "model_steps_per_second"), findings(comparison, e), f"{gate.margin(e.benchmark):.0%}"]
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    used = [word for word in EXIT_CODES if any(e.word == word for e in comparison.evidence)]
    lines += ["", "; ".join(f"*{word}*: {MEANINGS[word]}" for word in used) + "."]
    first = {record["framework"]: record for e in reversed(comparison.evidence) for record in e.base[:1]}
    lines += [line for record in first.values() for line in ("", f"{record['framework']}: {described(record)}.")]
    return "\n".join(lines) + "\n"


def described(record: dict) -> str:
    """The machine, versions and settings of the record's process, in one line."""
    settings = {"threads": record["threads"], "precision": record["precision"]}
    return ", ".join(f"{name} {value}" for name, value in (record["machine"] | record["versions"] | settings).items())


def _median(records: list[dict], key: str, factor: float = 1) -> str:
    return f"{factor * statistics.median(record[key] for record in records):.3g}" if records else ""


def as_json(comparison: Comparison) -> str:
    """Everything: the gate, every record, every verdict. `compare` can read it again."""
    benchmarks = [
        {
            "benchmark": e.benchmark,
            "framework": e.framework,
            "verdict": e.word,
            "reason": e.reason,
            "difference": dataclasses.asdict(e.difference) if e.base and e.head else None,
            "pairs": e.pairs,
        }
        for e in comparison.evidence
    ]
    content = {
        "base": comparison.base,
        "head": comparison.head,
        "exit_code": comparison.exit_code,
        "looks": comparison.looks,
        "gate": comparison.gate.model_dump(),
        "benchmarks": benchmarks,
    }
    return json.dumps(content, indent=1) + "\n"
