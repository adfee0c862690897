"""The results of several processes of `python -m benchmarks limits`, of one call or of several.

By framework: `made_by`, its code and machine; `ceilings`, the limits that each process measured before and after its
cases; `watched`, the load of the machine meanwhile; `cases`, each with operations and bytes of a step and its time in
every process, or with its error; `plain`, the rates of the plain loops.
"""

from __future__ import annotations

from typing import Any

from benchmarks.machine import Watch
from impls.errors import UserError

MADE_BY = ("sources_sha256", "machine", "versions", "threads", "precision")  # the same in all processes of a framework
COUNTS = ("operations_per_step", "bytes_per_step")


def add(found: dict[str, dict[str, Any]], framework: str, measured: dict[str, Any], watch: Watch) -> None:
    """Add the results of one process of each case to those of a framework; `watch` has run since they began.

    Raises:
        UserError: the earlier results are from other code, another machine or other versions.
    """
    part = found.setdefault(framework, {"made_by": {}, "ceilings": [], "watched": [], "cases": {}, "plain": {}})
    part["watched"].append(watch.stop())
    part["ceilings"] += measured["ceilings"]
    for name, row in measured["cases"].items():
        if "error" in row:
            part["cases"][name] = row
            continue
        record = row["record"]
        made_by = {name: record[name] for name in MADE_BY}
        if made_by != part["made_by"] and part["made_by"]:
            differing = ", ".join(key for key in MADE_BY if made_by[key] != part["made_by"][key])
            raise UserError(f"{framework} was measured before with a different {differing}: begin without --resume")
        part["made_by"] = made_by
        kept = part["cases"].setdefault(name, {key: row[key] for key in COUNTS} | {"seconds_per_step": []})
        if "error" not in kept:
            kept["seconds_per_step"].append(record["seconds_per_step"])
    for name, rate in measured["plain"].items():
        part["plain"].setdefault(name, []).append(rate)


def busiest(found: dict[str, dict[str, Any]]) -> dict[str, float]:
    """The highest load of the machine, by measure, that any process saw."""
    seen = [watched for part in found.values() for watched in part["watched"]]
    return {name: max(watched[name] for watched in seen if name in watched) for name in seen[0]}
