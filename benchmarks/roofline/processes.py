"""What is measured of `limits` and `scale`, in which order, and the results of all processes together.

By framework: `made_by`, its code and machine; `ceilings`, the limits of the machine, measured before and after each
pass over the cases; `watched`, the load of the machine meanwhile; `cases`, each with operations and bytes of a step and
its time in every process, with its error, or with the reason why it was `skipped`; `plain`, the rates of the plain
loops.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from benchmarks.roofline import machine_limits
from impls.errors import UserError

MADE_BY = ("sources_sha256", "machine", "versions", "threads", "precision")  # the same in all processes of a framework
COUNTS = ("operations_per_step", "bytes_per_step")
Found = dict[str, dict[str, Any]]


class Unit(NamedTuple):
    """One process: a case's step, a plain loop, or the limits of the machine; `number` counts the passes from 1."""

    framework: str
    kind: Literal["ceilings", "case", "plain"]
    name: str
    number: int


def missing(
    found: Found, frameworks: Sequence[str], names: Sequence[str], plain: Sequence[str], processes: int
) -> Iterator[Unit]:
    """What must be measured until each case has so many processes, in order.

    All cases take turns, and so do the frameworks, so that each sees the machine at several times. A case that failed
    or was skipped is not measured again. `found` is read again for every unit, so `add` may change it meanwhile.
    """
    for number in range(1, processes + 1):
        for framework in frameworks:
            part = part_of(found, framework)
            if len(part["ceilings"]) < 2 * number - 1:
                yield Unit(framework, "ceilings", "ceilings", number)
            for name in names:
                row = part["cases"].get(name, {})
                given_up = "error" in row or "skipped" in row
                if not given_up and len(row.get("seconds_per_step", ())) < number:
                    yield Unit(framework, "case", name, number)
            for name in plain if framework == "torch" else ():
                if len(part["plain"].get(name, ())) < number:
                    yield Unit(framework, "plain", name, number)
            if len(part["ceilings"]) < 2 * number:
                # Measured again, because the machine may have been busier before.
                yield Unit(framework, "ceilings", "ceilings", number)


class Differs(UserError):
    """The earlier results are from other code, another machine or other versions."""


def part_of(found: Found, framework: str) -> dict[str, Any]:
    """The results of a framework; empty ones are added if there are none."""
    return found.setdefault(framework, {"made_by": {}, "ceilings": [], "watched": [], "cases": {}, "plain": {}})


def add(found: Found, unit: Unit, result: dict[str, Any]) -> None:
    """Add the result of one process, as `measurements.measure` gives it.

    Raises:
        Differs: it cannot be combined with the earlier results, and was not added.
    """
    part = part_of(found, unit.framework)
    made_by = {name: result["made_by"][name] for name in MADE_BY}
    if made_by != part["made_by"] and part["made_by"]:
        differing = ", ".join(key for key in MADE_BY if made_by[key] != part["made_by"][key])
        raise Differs(f"{unit.framework} was measured before with a different {differing}: begin without --resume")
    part["made_by"] = made_by
    if unit.kind == "ceilings":
        part["ceilings"].append(result["ceilings"])
    elif unit.kind == "plain":
        part["plain"].setdefault(unit.name, []).append(result["rate"])
    else:
        row = part["cases"].setdefault(unit.name, {key: result[key] for key in COUNTS} | {"seconds_per_step": []})
        row["seconds_per_step"].append(result["seconds_per_step"])


def forget_failures(found: Found) -> None:
    """Let `missing` name the cases that failed or were skipped; the times that they have stay."""
    for part in found.values():
        for row in part["cases"].values():
            row.pop("error", None)
            row.pop("skipped", None)
        part["cases"] = {name: row for name, row in part["cases"].items() if row}


def errors(found: Found) -> list[str]:
    """A line for each case that failed."""
    return [
        f"{framework} {name}: {row['error']}"
        for framework, part in found.items()
        for name, row in part["cases"].items()
        if "error" in row
    ]


def busiest(found: Found) -> dict[str, float]:
    """The highest load of the machine, by measure, that any process saw."""
    seen = [watched for part in found.values() for watched in part["watched"]]
    return {name: max(watched[name] for watched in seen if name in watched) for name in seen[0]}


def at_the_limit(found: Found, row: dict) -> tuple[float, str]:
    """Seconds of a step at the limit of all frameworks measured here, and what sets it: "products" or "memory"."""
    ceilings = [ceiling for part in found.values() for ceiling in part["ceilings"]]
    products = row["operations_per_step"] / max(machine_limits.operations_per_second(ceiling) for ceiling in ceilings)
    size = row["bytes_per_step"]
    memory = size / max(machine_limits.bytes_per_second(ceiling, size) for ceiling in ceilings)
    return max((products, "products"), (memory, "memory"))


def seconds_of(row: dict) -> float:
    """Seconds of a step: the median of the processes."""
    return statistics.median(row["seconds_per_step"])
