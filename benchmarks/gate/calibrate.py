"""How often `compare` is wrong on this machine: the working tree against itself, unchanged and slowed on purpose."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import json
import math
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from benchmarks.earlier import read_earlier
from benchmarks.gate import compare, trees, verdict
from benchmarks.gate.evidence import Comparison, Evidence
from benchmarks.gate.report import described
from benchmarks.gate.settings import Gate, read_gate
from benchmarks.gate.trees import SLOWDOWN, say
from impls.engine.files import write_atomically
from impls.errors import UserError

PLANTED = (0.0, 0.05, 0.0, 0.10)  # 0 twice as often, because a false alarm must be rarer than a miss
SAME = ("machines", "looks", "level", "margins")  # entries that must be equal where a calibration is continued

Calibration = dict[str, Any]


def calibrate(options: argparse.Namespace) -> int:
    """Run the comparisons. Writes pairs and table after each of them, so that an interrupted run leaves both."""
    if options.repeats < 1:
        raise UserError("--repeats must be at least 1")
    pairs_file = options.output.with_suffix(".json")
    earlier = read_earlier(pairs_file, "calibrate", "comparisons") if options.resume else None
    now: Calibration = {}
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
                comparison = compare.run(base, slowed, found, read_gate(), plan)
                now = now or _continued(earlier, _started(comparison, plan.looks))
                now["comparisons"].append(_pairs(comparison, planted))
                write_atomically(pairs_file, _as_json(now).encode())
                write_atomically(options.output, as_markdown(now).encode())
    print(as_markdown(now))
    return 0


def as_markdown(calibration: Calibration) -> str:
    """Markdown of the noise, and of how often each planted slowdown was called slower, by benchmark and overall."""
    comparisons = calibration["comparisons"]
    planted = list(dict.fromkeys(PLANTED))
    by_planted = {share: [c for c in comparisons if c["planted"] == share] for share in planted}
    head = ["benchmark", "margin", "pairs", "on a busy machine", "noise", "winsorized noise"]
    head += [f"{share:.0%} planted" for share in planted]
    rows = [head, ["---"] * len(head)]
    for name, margin in calibration["margins"].items():
        pairs = [pair for c in by_planted[0.0] for pair in c["benchmarks"][name]["pairs"]]
        ratios = [math.log(head / base) for base, head, _ in pairs]
        noise = [f"{np.std(ratios, ddof=1):.2%}", f"{winsorized(ratios):.2%}"] if len(ratios) > 1 else ["", ""]
        counts = [_counts([c["benchmarks"][name]["verdict"] for c in by_planted[share]]) for share in planted]
        busy = str(sum(busy for *_, busy in pairs))
        rows.append([name, f"{margin:.0%}", str(len(pairs)), busy, *noise, *counts])
    alarms = [_alarms([c["alarm"] for c in by_planted[share]], bool(share)) for share in planted]
    rows.append(["any of them", "", "", "", "", "", *alarms])
    commands = "\n".join(calibration["commands"])
    machines = "\n".join(f"- {machine}" for machine in calibration["machines"])
    return (
        "# Calibration of the regression gate\n\n"
        f"Made by\n\n```\n{commands}\n```\n\n"
        f"with {', '.join(calibration['code'])}; level {calibration['level']:g}, verdicts after "
        f"{', '.join(map(str, calibration['looks']))} pairs. Every pair is in the .json file beside this page.\n\n"
        f"{machines}\n\n"
        "Noise is the standard deviation of a pair's log ratio without a planted slowdown. Winsorized noise is what\n"
        "the gate's intervals use: the tenth of pairs at each end, which outliers would be among, counts as if it\n"
        "were the nearest other pair. The last columns show how often a benchmark was called slower, not slower, or\n"
        "neither. With 0% planted every *slower* is a false alarm. With 5% and 10%, which are more than the margin,\n"
        "every *not slower* is a miss. The bounds are one-sided, at 95%: so many false alarms at most, so many\n"
        "slowdowns found at least, in the long run on this machine.\n\n"
        + "".join(f"| {' | '.join(row)} |\n" for row in rows)
    )


def winsorized(log_ratios: list[float]) -> float:
    """The noise of one pair as the gate sees it: the standard error of the trimmed mean, times sqrt(pairs)."""
    return verdict.paired(log_ratios).error * math.sqrt(len(log_ratios))


def bound(count: int, n: int, upper: bool) -> float:
    """The one-sided 95% bound, upper or lower, of the probability of what happened `count` times of `n` (exact)."""
    found = binomtest(count, n, alternative="less" if upper else "greater").proportion_ci(0.95, "exact")
    return float(found.high if upper else found.low)


def _alarms(alarms: list[bool], wanted: bool) -> str:
    """How many comparisons had an alarm, with the bound: "0 of 40 with an alarm (at most 7.2%)"."""
    count, n = sum(alarms), len(alarms)
    if not n:
        return ""
    limit = f"{'at least' if wanted else 'at most'} {bound(count, n, not wanted):.1%}"
    return f"{count} of {n} with an alarm ({limit})"


def _counts(words: list[str]) -> str:
    rest = len(words) - words.count("slower") - words.count("not slower")
    return f"{words.count('slower')} slower, {words.count('not slower')} not, {rest} neither"


def _started(comparison: Comparison, looks: list[int]) -> Calibration:
    """A calibration without comparisons: how it was made, and on what."""
    records = {e.framework: e.base[0] for e in reversed(comparison.evidence) if e.base}
    if not records:
        raise UserError(f"nothing could be measured: {comparison.evidence[0].reason}")
    gate: Gate = comparison.gate
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    return {
        "commands": [f"{command}  # {datetime.date.today()}"],
        "code": [comparison.base],
        "machines": [f"{framework}: {described(records[framework])}" for framework in sorted(records)],
        "looks": looks,
        "level": gate.level,
        "margins": {e.name: gate.margin(e.benchmark) for e in comparison.evidence},
        "comparisons": [],
    }


def _continued(earlier: Calibration | None, now: Calibration) -> Calibration:
    """`now` with the comparisons of an earlier call in front.

    Raises:
        UserError: the earlier ones are of another machine, other benchmarks or other rules.
    """
    if earlier is None:
        return now
    for name in SAME:
        if earlier[name] != now[name]:
            raise UserError(f"--resume: different {name}: {earlier[name]} and {now[name]}; write to another --output.")
    both = {name: list(dict.fromkeys([*earlier[name], *now[name]])) for name in ("commands", "code")}
    return {**now, **both, "comparisons": earlier["comparisons"]}


def _pairs(comparison: Comparison, planted: float) -> dict[str, Any]:
    """One comparison: its verdicts, and the pairs that count: seconds a step of BASE and HEAD, and busy or not."""
    return {
        "planted": planted,
        "alarm": comparison.exit_code == verdict.EXIT_CODES["slower"],
        "benchmarks": {
            e.name: {"verdict": e.word, "reason": e.reason, "pairs": _times(e)} for e in comparison.evidence
        },
    }


def _times(e: Evidence) -> list[list[Any]]:
    counted = [pair for pair in e.pairs if pair["counts"]]
    return [[*(pair[side]["seconds_per_step"] for side in ("base", "head")), pair["busy"]] for pair in counted]


def _as_json(calibration: Calibration) -> str:
    """One line per comparison."""
    head = {name: value for name, value in calibration.items() if name != "comparisons"}
    lines = ",\n".join(json.dumps(comparison) for comparison in calibration["comparisons"])
    return json.dumps(head, indent=1)[:-2] + f',\n "comparisons": [\n{lines}\n]}}\n'
