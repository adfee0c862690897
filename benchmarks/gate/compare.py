"""Is HEAD slower than BASE? Measures pairs of fresh processes, one of each side, until every benchmark has a verdict.

cases.py lists the benchmarks, and measure.py times one. trees.py provides the two sides, evidence.py decides whether
two records can be compared, verdict.py computes the verdicts, and gate.toml sets the margins.
docs/regression-gate.md explains all of it.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import fnmatch
import math
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import machine
from benchmarks.gate import evidence, report, trees, verdict
from benchmarks.gate.evidence import Comparison, Evidence
from benchmarks.gate.settings import Gate, read_gate
from benchmarks.gate.trees import Failed, Tree, say
from impls.errors import UserError


def compare(options: argparse.Namespace) -> int:
    """Compare the two sides named on the command line and write the requested files; returns the exit code."""
    for file in (options.save, options.markdown):
        if file and not file.parent.is_dir():  # report this now, not after an hour
            raise UserError(f"there is no folder {file.parent} for {file.name}")
    kinds = {evidence.is_stored(text) for text in (options.base, options.head)}
    if len(kinds) == 2:
        raise UserError("a stored .json file can only be compared with another one")
    if kinds == {True}:
        if options.save:
            raise UserError("--save applies to new measurements, but these are stored files")
        comparison = evidence.stored(
            options.base, options.head, read_gate(), lambda name, framework: _fits(name, framework, options)
        )
        if not comparison.evidence:
            chosen = f"{options.benchmarks!r} and framework {options.framework}"
            raise UserError(f"no benchmark in these files matches {chosen}")
    else:
        comparison = _compare_trees(options)
    if options.save:
        options.save.write_text(report.as_json(comparison))
    if options.markdown:
        options.markdown.write_text(report.as_markdown(comparison))
    print(report.as_text(comparison))
    return comparison.exit_code


def _compare_trees(options: argparse.Namespace) -> Comparison:
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dni-compare-")))
        base = stack.enter_context(trees.opened(options.base, "base", place / "base"))
        head = stack.enter_context(trees.opened(options.head, "head", place / "head"))
        harness = trees.harness_of(head, place / "harness")
        found = choose(base, harness, options)
        if trees.code_sha256(base) == trees.code_sha256(head):
            for e in found:
                e.same_code = True
        return run(base, head, found, read_gate(), Plan.of(options, harness))


@dataclass(frozen=True)
class Plan:
    """How to measure: the numbers of pairs after which verdicts are computed; the harness; flags for its measure.py."""

    looks: list[int]
    harness: Path
    flags: list[str]

    @classmethod
    def of(cls, options: argparse.Namespace, harness: Path) -> Plan:
        flags = ["--precision", options.precision, "--device", options.device]
        return cls(verdict.looks(options.pairs, options.max_pairs), harness, flags)


def choose(base: Tree, harness: Path, options: argparse.Namespace) -> list[Evidence]:
    """The benchmarks that the command line selects; one that only BASE has is included with a reason."""
    here = trees.names(harness)
    gone = [name for name in trees.names(base.path) if name not in here] if base.has_harness else []
    frameworks = ("torch", "jax") if options.framework == "both" else (options.framework,)
    found = [Evidence(name, framework) for framework in frameworks for name in here]
    found += [
        Evidence(name, framework, reason="head has no such benchmark") for framework in frameworks for name in gone
    ]
    found = [e for e in found if _fits(e.benchmark, e.framework, options)]
    if not found:
        near = difflib.get_close_matches(options.benchmarks, here, n=3) or here
        raise UserError(f"no benchmark matches {options.benchmarks!r}. There are: {', '.join(near)}")
    return found


def _fits(benchmark: str, framework: str, options: argparse.Namespace) -> bool:
    matches = any(fnmatch.fnmatchcase(benchmark, pattern) for pattern in options.benchmarks.split(","))
    return matches and options.framework in (framework, "both")


def run(base: Tree, head: Tree, found: list[Evidence], gate: Gate, plan: Plan) -> Comparison:
    """Measure pairs until every benchmark has a verdict, or until the last look.

    Benchmarks take turns, so that the pairs of each are spread over the whole time. Pair 0 of each shows whether the
    two sides can be compared at all, and fills the compilers' caches. Its times do not count.
    """
    comparison = Comparison(base.label, head.label, gate, found, len(plan.looks))
    say(f"base: {base.label}\nhead: {head.label}")
    say(f"{len(comparison.open)} benchmarks, {plan.looks[0]} to {plan.looks[-1]} pairs of processes each")
    clock = _Clock(plan.looks)
    done = -1  # so that pair 0 comes first
    for look in plan.looks:
        for number in range(done + 1, look + 1):
            for e in comparison.open:
                started = time.monotonic()
                news = _measure_pair(e, base, head, gate, plan, number)
                clock.seconds.append(time.monotonic() - started)
                say(f"pair {number} of {look}, {e.name}: {news}; {clock.left(comparison.open, look)}")
        done = look
        comparison.look()
        if not comparison.open:
            break
    return comparison


def _measure_pair(e: Evidence, base: Tree, head: Tree, gate: Gate, plan: Plan, number: int) -> str:
    """Measure one pair, again if the machine was busy, and add it to the evidence; returns the result in words."""
    order = (base, head) if number % 2 else (head, base)
    flags = [e.benchmark, "--framework", e.framework, *plan.flags]
    watched: list[dict[str, float]] = []
    while not watched or (number and gate.busy.was(watched[-1]) and len(watched) < gate.busy.tries):
        watch = machine.Watch()
        try:
            records = {tree.side: trees.measure(tree, plan.harness, flags, gate.minutes_per_process) for tree in order}
        except Failed as failure:
            e.reason = str(failure)
            return e.reason
        watched.append(watch.stop())
    pair = records | {"number": number, "first": order[0].side, "counts": number > 0, "watched": watched}
    e.pairs.append(pair | {"busy": gate.busy.was(watched[-1])})
    if number:
        e.base.append(records["base"])
        e.head.append(records["head"])
    e.reason = evidence.why_not_comparable(
        [pair["base"] for pair in e.pairs], [pair["head"] for pair in e.pairs], gate.result_tolerance
    )
    change = math.log(records["head"]["seconds_per_step"] / records["base"]["seconds_per_step"])
    return e.reason or report.percent(change) + (", busy machine" if e.pairs[-1]["busy"] else "")


@dataclass
class _Clock:
    """Estimates the remaining time from the pairs so far."""

    looks: list[int]
    seconds: list[float] = field(default_factory=list)

    def left(self, waiting: list[Evidence], look: int) -> str:
        minutes = sum(self.seconds) / len(self.seconds) / 60
        soon, late = (minutes * sum(end + 1 - len(e.pairs) for e in waiting) for end in (look, self.looks[-1]))
        return f"{soon:.0f} minutes to the next verdicts, {late:.0f} to the last at most"
