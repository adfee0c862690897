"""`python -m benchmarks limits`: how close every case comes to the limit of this machine, as a page in Markdown.

Separate processes measure (measurements.py); this module combines their results.
"""

from __future__ import annotations

import argparse
import datetime
import difflib
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.cases import CASES, GROWTH, PLAIN
from benchmarks.earlier import read_earlier
from benchmarks.gate.report import described
from benchmarks.gate.settings import read_gate
from benchmarks.gate.trees import say
from benchmarks.roofline import machine_limits, measurements, processes
from impls.engine.files import write_atomically
from impls.errors import UserError
from impls.repository import commit_of_code

PAGE = Path("docs/limits.md")
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


def limits_page(options: argparse.Namespace) -> int:
    """Measure, print the page, and write it; returns 0, or 1 if a case failed."""
    names = measurements.chosen(options.cases)
    if not names:
        near = difflib.get_close_matches(options.cases, CASES, n=3) or list(CASES)
        raise UserError(f"no case matches {options.cases!r}. There are: {', '.join(near)}")
    if options.processes < 1:
        raise UserError("--processes must be at least 1")
    output = options.output or (PAGE if len(names) == len(CASES) else None)
    if output and not output.parent.is_dir():
        raise UserError(f"there is no folder {output.parent} for {output.name}")
    if options.resume and not output:
        raise UserError("--resume needs --output, because --cases leaves some cases out")
    found = {}
    if options.resume and output:
        found = read_earlier(output.with_suffix(".json"), "limits", "frameworks")["frameworks"]
    code = _code()  # before the page is written, which changes a file of the repository
    for number in range(1, options.processes + 1):
        # The frameworks take turns, so that both see the machine at the same times.
        for framework in ("torch", "jax") if options.framework == "both" else (options.framework,):
            say(f"process {number} of {options.processes} of each case, {framework}")
            watch = machine.Watch()
            processes.add(found, framework, _measured(framework, options), watch)
        page = as_markdown(found, code, options.precision)
        if output:
            write_atomically(output.with_suffix(".json"), json.dumps({"frameworks": found}, indent=1).encode())
            write_atomically(output, page.encode())
            say(f"written: {output}")
    print(page)
    return int(any("error" in row for part in found.values() for row in part["cases"].values()))


def _measured(framework: str, options: argparse.Namespace) -> dict[str, Any]:
    """The results of a separate process, which reports its progress on stderr."""
    with tempfile.TemporaryDirectory(prefix="dni-limits-") as folder:
        file = Path(folder, "found.json")
        flags = ["--framework", framework, "--device", options.device, "--precision", options.precision]
        flags += ["--cases", options.cases]
        command = [sys.executable, "-m", "benchmarks.roofline.measurements", *flags]
        code = subprocess.run([*command, "--output", str(file)]).returncode
        if code:
            raise UserError(f"measuring {framework} ended with exit code {code}; its own message is above")
        return json.loads(file.read_text())


def _code() -> str:
    return f"commit {commit_of_code()}"


def as_markdown(found: dict[str, dict[str, Any]], code: str, precision: str) -> str:
    """The page, from the results of each framework's processes (`processes.py`) and the commit of the code."""
    rows = [row for part in found.values() for row in part["cases"].values() if "error" not in row]
    if not rows:
        raise UserError("no case could be measured: " + "; ".join(_errors(found)))
    sections = [
        "# Share of the machine's limit",
        _made(found, rows, code, precision),
        "## What the machine can do",
        _ceilings(found),
        "## What the steps reach",
        _cases(found),
    ]
    if growth := _growth(found):
        sections += ["## How the time grows", growth]
    if plain := _plain(found):
        sections += ["## Beside a plain eager loop", plain]
    return "\n\n".join([*sections, "## What is counted", COUNTED])


def _made(found: dict, rows: list[dict], code: str, precision: str) -> str:
    watched = processes.busiest(found)
    on = {framework: described(part["made_by"]) for framework, part in found.items() if part["made_by"]}
    busy = ", ".join(f"{name} {watched[name]:.0%}" for name in ("others", "steal") if name in watched)
    load = f"At most: load average {watched['load_average']:.2f}" + (f"; shares of the cores: {busy}" if busy else "")
    lines = [
        f"Made by `python -m benchmarks limits` on {datetime.date.today()} from {code}, precision {precision}.",
        f"Processes of each case: {', '.join(map(str, sorted({len(row['seconds_per_step']) for row in rows})))}.",
        "The numbers apply to that code and that machine. After a change of `impls/` run it again, on an idle machine.",
        "",
        *(f"- {framework}: {text}" for framework, text in on.items()),
        f"- {load}",
    ]
    if read_gate().busy.was(watched):
        lines += ["", "**The machine was busy with other work: these numbers are too low to be cited.**"]
    lines += [f"- **failed**: {error}" for error in _errors(found)]
    return "\n".join(lines)


def _errors(found: dict) -> list[str]:
    return [
        f"{framework} {name}: {row['error']}"
        for framework, part in found.items()
        for name, row in part["cases"].items()
        if "error" in row
    ]


def _ceilings(found: dict) -> str:
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
            cells = [_number(best[framework][index].get(key, 0) / 1e9) for framework in found]
            lines.append([name, "x".join(map(str, shape)), str(replicas), *cells])
        tables.append(_table(lines))
    lines = [["pass over memory", *(f"{framework}, GB/s" for framework in found)]]
    for size in dict.fromkeys(key for tables_of in best.values() for key in tables_of[2]):
        lines.append([_size(size), *(_number(best[framework][2].get(size, 0) / 1e9) for framework in found)])
    tables.append(_table(lines))
    calls = {f: 1e6 * min(c["seconds_per_call"] for c in part["ceilings"]) for f, part in found.items()}
    words = {"torch": "one operation", "jax": "one compiled program"}
    tables.append("A call costs " + "; ".join(f"{_number(v)} us ({f}, {words[f]})" for f, v in calls.items()) + ".")
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


def at_the_limit(found: dict, row: dict) -> tuple[float, str]:
    """Seconds of a step at the limit of all frameworks measured here, and what sets it: "products" or "memory"."""
    ceilings = [ceiling for part in found.values() for ceiling in part["ceilings"]]
    products = row["operations_per_step"] / max(machine_limits.operations_per_second(ceiling) for ceiling in ceilings)
    size = row["bytes_per_step"]
    memory = size / max(machine_limits.bytes_per_second(ceiling, size) for ceiling in ceilings)
    return max((products, "products"), (memory, "memory"))


def _cases(found: dict) -> str:
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
            measured = seconds_of(row)
            counted = [_number(row["operations_per_step"] / 1e9), _number(row["bytes_per_step"] / 1e6)]
            share = seconds / measured
            times = [1e3 * seconds for seconds in row["seconds_per_step"]]
            span = f"{_number(min(times))} to {_number(max(times))}"
            reached = [_to(1e3 * measured, row), span, f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"]
            rate = _to(_rate(name, row), row)
            lines.append([name, framework, *counted, _number(1e3 * seconds), by, *reached, rate])
    text = (
        "Each row is a step of all replicas (`x3`: three replicas); one step is one update. *Measured* is the median\n"
        "of processes, each started anew; their number is in the first lines of this page. It has as many digits as\n"
        "the processes agree on."
    )
    return f"{text}\n\n{_table(lines)}"


def seconds_of(row: dict) -> float:
    """Seconds of a step: the median of the processes."""
    return statistics.median(row["seconds_per_step"])


def _rate(name: str, row: dict) -> float:
    """Model-steps per second."""
    return CASES[name].replicas / seconds_of(row)


def _to(value: float, row: dict) -> str:
    """A number to as many digits as the processes agree on: one where they differ by half, three by 1% or less."""
    times = row["seconds_per_step"]
    spread = (max(times) - min(times)) / seconds_of(row)
    return _number(value, 3 if spread <= 0.01 else 2 if spread <= 0.2 else 1)


def _growth(found: dict) -> str:
    lines = [["what grows", "times as much", *(f"{f}, times as long" for f in found)]]
    for what, few, many, factor in GROWTH:
        cells = []
        for part in found.values():
            short, long = (part["cases"].get(name, {}) for name in (few, many))
            both = "seconds_per_step" in short and "seconds_per_step" in long
            cells.append(f"{seconds_of(long) / seconds_of(short):.1f}" if both else "")
        if any(cells):
            lines.append([what, _number(factor), *cells])
    return _table(lines) if len(lines) > 1 else ""


def _plain(found: dict) -> str:
    plain = {name: statistics.median(rates) for part in found.values() for name, rates in part["plain"].items()}
    lines = [["case", "plain loop, model-steps/s", *(f"{f}, model-steps/s; times as fast" for f in found)]]
    for name, compared in PLAIN.items():
        for case in compared if name in plain else ():
            cells = []
            for part in found.values():
                row = part["cases"].get(case, {})
                measured = "seconds_per_step" in row
                cells.append(f"{_to(_rate(case, row), row)}; {_rate(case, row) / plain[name]:.1f}" if measured else "")
            if any(cells):
                lines.append([case, _number(plain[name]), *cells])
    note = (
        "The same arithmetic in the simplest PyTorch form: modules, autograd, `torch.optim.Adam`, one call per\n"
        "operation, one net ([plain_loop.py](../benchmarks/roofline/plain_loop.py))."
    )
    return f"{note}\n\n{_table(lines)}" if len(lines) > 1 else ""


def _table(lines: list[list[str]]) -> str:
    rows = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _number(value: float, digits: int = 3) -> str:
    """So many significant digits, without an exponent."""
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:g}" if value < 1e5 else f"{rounded:.0f}"


def _size(size: int) -> str:
    return f"{size // 2**20} MiB" if size >= 2**20 else f"{size // 2**10} KiB"
