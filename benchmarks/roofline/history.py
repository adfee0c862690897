"""How a few cases did in each complete measuring of `python -m benchmarks limits`: one line for each, never removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.digits import share, table, to_the_range
from benchmarks.roofline.processes import at_the_limit, seconds_of

CHOSEN = (
    "feedforward/dni/x1",
    "feedforward/cdni/x1",
    "feedforward/small_dni/x1",
    "recurrent/copy_dni/x1",
    "feedforward/cnn_cdni/x1",
)
Line = dict[str, Any]


def earlier(file: Path) -> list[Line]:
    """The lines in the .json of an earlier page; none if there is no such file."""
    return json.loads(file.read_text()).get("history", []) if file.is_file() else []


def line_of(state: dict[str, Any]) -> Line:
    """The line of a measuring (`measuring.State`)."""
    found = state["frameworks"]
    cases: dict[str, dict[str, Any]] = {}
    for name in CHOSEN:
        for framework, part in found.items():
            row = part["cases"].get(name, {})
            if times := row.get("seconds_per_step"):
                limit = at_the_limit(found, row)[0]
                cases.setdefault(name, {})[framework] = {"seconds_per_step": times, "seconds_at_the_limit": limit}
    machine = next(part["made_by"]["machine"] for part in found.values())
    names = [str(machine[key]) for key in ("cpu", "name") if key in machine]
    return {key: state[key] for key in ("begun", "date", "commit")} | {"machine": ", ".join(names), "cases": cases}


def with_line(lines: list[Line], line: Line) -> list[Line]:
    """The lines with a new one, which replaces an earlier one of the same measuring (`--resume`)."""
    return [*(other for other in lines if other["begun"] != line["begun"]), line]


def as_markdown(lines: list[Line]) -> str:
    """A table with a row for each measuring and framework."""
    rows = [["date", "commit", "cpu", "framework", *CHOSEN]]
    for line in lines:
        for framework in dict.fromkeys(framework for cells in line["cases"].values() for framework in cells):
            cells = [_cell(line["cases"].get(name, {}).get(framework)) for name in CHOSEN]
            rows.append([line["date"], line["commit"], line["machine"], framework, *cells])
    text = (
        "Each complete measuring adds a line. In the cells: milliseconds of a step (the median of the processes); the\n"
        "share of the limit that was measured then. Lines of different machines cannot be compared."
    )
    return f"{text}\n\n{table(rows)}"


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    median = to_the_range([1e3 * seconds for seconds in row["seconds_per_step"]])[0]
    return f"{median}; {share(row['seconds_at_the_limit'] / seconds_of(row))}"
