"""How often `compare` is wrong on this machine: the working tree against itself, unchanged and slowed on purpose."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.gate import compare, trees
from benchmarks.gate.evidence import Comparison
from benchmarks.gate.report import described
from benchmarks.gate.settings import read_gate
from benchmarks.gate.trees import SLOWDOWN, say
from impls.errors import UserError

PLANTED = (0.0, 0.05, 0.0, 0.10)  # 0 twice as often, because a false alarm must be rarer than a miss


def calibrate(options: argparse.Namespace) -> int:
    """Run the comparisons. Writes the table after each of them, so that an interrupted run leaves a table."""
    if options.repeats < 1:
        raise UserError("--repeats must be at least 1")
    done: dict[float, list[Comparison]] = defaultdict(list)
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dni-calibrate-")))
        base = stack.enter_context(trees.opened(".", "base", place / "base"))
        head = dataclasses.replace(base, side="head")
        harness = trees.harness_of(head, place / "harness")
        plan = compare.Plan.of(options, harness)
        for repeat in range(options.repeats):
            for planted in PLANTED:
                say(f"comparison {repeat + 1} of {options.repeats} with {planted:.0%} planted")
                slowed = dataclasses.replace(head, environment={SLOWDOWN: str(planted)} if planted else {})
                found = compare.choose(base, harness, options)
                done[planted].append(compare.run(base, slowed, found, read_gate(), plan))
                options.output.write_text(as_markdown(done, base.label, plan.looks))
    print(as_markdown(done, base.label, plan.looks))
    return 0


def as_markdown(done: dict[float, list[Comparison]], label: str, looks: list[int]) -> str:
    """Markdown of the noise and of how often each planted slowdown was called slower, by benchmark and overall.

    Args:
        done: comparisons by the slowdown that was planted.
        looks: the numbers of pairs after which verdicts were computed.
    """
    same = done[0.0]
    gate, first = same[0].gate, same[0].evidence
    record = next((record for e in first for record in e.base), None)
    if record is None:
        raise UserError(f"nothing could be measured: {first[0].reason}")
    head = ["benchmark", "margin", "noise", "pairs on a busy machine", *(f"{planted:.0%} planted" for planted in done)]
    rows = [head, ["---"] * len(head)]
    for i, e in enumerate(first):
        pairs = [pair for comparison in same for pair in comparison.evidence[i].pairs if pair["counts"]]
        ratios = [np.log(pair["head"]["seconds_per_step"] / pair["base"]["seconds_per_step"]) for pair in pairs]
        noise = f"{np.std(ratios, ddof=1):.2%}" if len(ratios) > 1 else ""
        busy = f"{sum(pair['busy'] for pair in pairs)} of {len(pairs)}"
        counts = [_counts([c.evidence[i].word for c in comparisons]) for comparisons in done.values()]
        rows.append([e.name, f"{gate.margin(e.benchmark):.0%}", noise, busy, *counts])
    alarms = [f"{sum(c.exit_code == 1 for c in found)} of {len(found)} with an alarm" for found in done.values()]
    rows.append(["any of them", "", "", "", *alarms])
    return (
        "# Calibration of the regression gate\n\n"
        f"Made by `python -m benchmarks calibrate` on {datetime.date.today()}, with {label}, at level {gate.level:g},\n"
        f"verdicts after {', '.join(map(str, looks))} pairs.\n{described(record)}.\n\n"
        "Noise is the standard deviation of a pair's log ratio without a planted slowdown. The last columns show how\n"
        "often a benchmark was called slower, not slower, or neither. With 0% planted every *slower* is a false\n"
        "alarm. With 5% and 10%, which are more than the margin, every *not slower* is a miss.\n\n"
        + "".join(f"| {' | '.join(row)} |\n" for row in rows)
    )


def _counts(words: list[str]) -> str:
    rest = len(words) - words.count("slower") - words.count("not slower")
    return f"{words.count('slower')} slower, {words.count('not slower')} not, {rest} neither"
