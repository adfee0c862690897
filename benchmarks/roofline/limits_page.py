"""The page of `python -m benchmarks limits`, in Markdown, from the results of all processes (processes.py)."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.cases import CASES, GROWTH, PLAIN
from benchmarks.digits import number, share, table, to_the_range
from benchmarks.gate.report import described
from benchmarks.gate.settings import read_gate
from benchmarks.roofline import history, processes
from benchmarks.roofline.processes import Found, at_the_limit, seconds_of
from impls.errors import UserError

COUNTED = """\
- *Operations*: `operations_per_step` of the spec times the replicas. It counts the matrix products and convolutions
  that the method needs, with two operations per multiply-add, and nothing for batch norm, gates or Adam.
- *Bytes*: the minimum memory traffic of a step, each array once. Every array of the state that training changes
  (parameters, Adam's moments, running statistics) is read and written. Parameters that training does not change, the
  step's inputs and images are read. Activations and gradients are not counted, because they could stay in a cache.
- *At the limit*: the larger of two times: operations over the best rate that any product or convolution reached, in any
  framework measured here, and bytes over the best rate of a pass over memory of that size. Measured steps are slower
  because of arithmetic that is not counted, small shapes, and the cost of calls.
- *Measured*: the median of processes; of each, the median of its launches, without compilation and evaluation. The
  processes of a case are not run one after the other: all cases take turns, so each sees the machine at several times.
"""


def as_markdown(state: dict[str, Any]) -> str:
    """The page, from what was measured (`measuring.State`) and the lines of `history`, if there are any."""
    found = state["frameworks"]
    measured_rows(found)
    sections = [
        "# Share of the machine's limit",
        made(state, "limits"),
        "## What the machine can do",
        _ceilings(found),
        "## What the steps reach",
        _cases(found),
    ]
    if growth := _growth(found):
        sections += ["## How the time grows", growth]
    if plain := _plain(found):
        sections += ["## Beside a plain eager loop", plain]
    if lines := state.get("history"):
        sections += ["## History", history.as_markdown(lines)]
    return "\n\n".join([*sections, "## What is counted", COUNTED])


def measured_rows(found: Found) -> list[dict[str, Any]]:
    """The rows of all cases that have a time.

    Raises:
        UserError: there is none.
    """
    rows = [row for part in found.values() for row in part["cases"].values() if row.get("seconds_per_step")]
    if not rows:
        raise UserError("no case could be measured: " + "; ".join(processes.errors(found)))
    return rows


def made(state: dict[str, Any], command: str) -> str:
    """The first lines of a page: when and on which machine it was made, and whether that was busy or a case failed."""
    found, rows = state["frameworks"], measured_rows(state["frameworks"])
    watched = processes.busiest(found)
    on = {framework: described(part["made_by"]) for framework, part in found.items() if part["made_by"]}
    busy = ", ".join(f"{name} {watched[name]:.0%}" for name in ("others", "steal") if name in watched)
    load = f"At most: load average {watched['load_average']:.2f}" + (f"; shares of the cores: {busy}" if busy else "")
    counts = sorted({len(row["seconds_per_step"]) for row in rows})
    lines = [
        f"Made by `python -m benchmarks {command}` on {state['date']} from commit {state['commit']}, "
        f"precision {state['precision']}.",
        f"Processes of each case: {', '.join(map(str, counts))}.",
        "The numbers apply to that code and that machine. After a change of `impls/` run it again, on an idle machine.",
        "",
        *(f"- {framework}: {text}" for framework, text in on.items()),
        f"- {load}",
    ]
    if read_gate().busy.was(watched):
        lines += ["", "**The machine was busy with other work: these numbers are too low to be cited.**"]
    lines += [f"- **failed**: {error}" for error in processes.errors(found)]
    return "\n".join(lines)


def _ceilings(found: Found) -> str:
    best = {
        framework: [_better(part["ceilings"], kind) for kind in ("products", "convolutions", "memory")]
        for framework, part in found.items()
    }
    tables = []
    for index, (title, unit) in enumerate((("matrix product", "GFLOP/s"), ("convolution, 5x5", "GFLOP/s"))):
        keys = list(dict.fromkeys(key for tables_of in best.values() for key in tables_of[index]))
        lines = [[title, "shape", "replicas", *(f"{framework}, {unit}" for framework in found)]]
        for key in keys:
            name, shape, replicas = key
            cells = [number(best[framework][index].get(key, 0) / 1e9) for framework in found]
            lines.append([name, "x".join(map(str, shape)), str(replicas), *cells])
        tables.append(table(lines))
    lines = [["pass over memory", *(f"{framework}, GB/s" for framework in found)]]
    for size in dict.fromkeys(key for tables_of in best.values() for key in tables_of[2]):
        lines.append([_size(size), *(number(best[framework][2].get(size, 0) / 1e9) for framework in found)])
    tables.append(table(lines))
    calls = {f: 1e6 * min(c["seconds_per_call"] for c in part["ceilings"]) for f, part in found.items()}
    words = {"torch": "one operation", "jax": "one compiled program"}
    tables.append("A call costs " + "; ".join(f"{number(v)} us ({f}, {words[f]})" for f, v in calls.items()) + ".")
    return "\n\n".join(tables)


def _better(measured: list[dict], kind: str) -> dict[Any, float]:
    """The best of the measurements, before and after each pass over the cases."""
    rates: dict[Any, float] = {}
    for ceilings in measured:
        for entry in ceilings[kind]:
            key = entry["bytes"] if kind == "memory" else (entry["name"], tuple(entry["shape"]), entry["replicas"])
            rate = entry["bytes_per_second"] if kind == "memory" else entry["operations_per_second"]
            rates[key] = max(rate, rates.get(key, 0))
    return rates


def _cases(found: Found) -> str:
    head = [
        "case",
        "framework",
        "GFLOP",
        "MB",
        "at the limit, ms",
        "by",
        "measured, ms",
        "processes, ms",
        "of the limit",
        "model-steps/s",
    ]
    lines = [head]
    for name in CASES:
        for framework, part in found.items():
            row = part["cases"].get(name)
            if row is None:
                continue
            if "error" in row:
                lines.append([name, framework, *[""] * 4, "failed", "", "", ""])
                continue
            seconds, by = at_the_limit(found, row)
            counted = [number(row["operations_per_step"] / 1e9), number(row["bytes_per_step"] / 1e6)]
            times = to_the_range([1e3 * seconds for seconds in row["seconds_per_step"]])
            reached = [*times, share(seconds / seconds_of(row)), _rate(name, row)[0]]
            lines.append([name, framework, *counted, number(1e3 * seconds), by, *reached])
    text = (
        "Each row is a step of all replicas (`x3`: three replicas); one step is one update. *Measured* is the median\n"
        "of processes, each started anew; their number is in the first lines of this page. It and the range of the\n"
        "processes are rounded to a tenth of that range or less, and to three digits at most."
    )
    return f"{text}\n\n{table(lines)}"


def _rate(name: str, row: dict) -> tuple[str, float]:
    """Model-steps per second, as they are shown and as a number."""
    rates = [CASES[name].replicas / seconds for seconds in row["seconds_per_step"]]
    return to_the_range(rates)[0], CASES[name].replicas / seconds_of(row)


def _growth(found: Found) -> str:
    lines = [["what grows", "times as much", *(f"{f}, times as long" for f in found)]]
    for what, few, many, factor in GROWTH:
        cells = []
        for part in found.values():
            short, long = (part["cases"].get(name, {}) for name in (few, many))
            both = short.get("seconds_per_step") and long.get("seconds_per_step")
            cells.append(f"{seconds_of(long) / seconds_of(short):.1f}" if both else "")
        if any(cells):
            lines.append([what, number(factor), *cells])
    return table(lines) if len(lines) > 1 else ""


def _plain(found: Found) -> str:
    plain = {name: rates for part in found.values() for name, rates in part["plain"].items()}
    lines = [["case", "plain loop, model-steps/s", *(f"{f}, model-steps/s; times as fast" for f in found)]]
    for name, compared in PLAIN.items():
        for case in compared if name in plain else ():
            cells = []
            for part in found.values():
                row = part["cases"].get(case, {})
                if row.get("seconds_per_step"):
                    shown, rate = _rate(case, row)
                    cells.append(f"{shown}; {rate / statistics.median(plain[name]):.1f}")
                else:
                    cells.append("")
            if any(cells):
                lines.append([case, to_the_range(plain[name])[0], *cells])
    note = (
        "The same arithmetic in the simplest PyTorch form: modules, autograd, `torch.optim.Adam`, one call per\n"
        "operation, one net ([plain_loop.py](../benchmarks/roofline/plain_loop.py))."
    )
    return f"{note}\n\n{table(lines)}" if len(lines) > 1 else ""


def _size(size: int) -> str:
    return f"{size // 2**20} MiB" if size >= 2**20 else f"{size // 2**10} KiB"
