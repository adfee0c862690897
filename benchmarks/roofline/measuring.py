"""Measures the cases of `limits` or `scale`, process by process, and keeps each result at once.

Until all is measured, the results are in a file `<page>.unfinished.json` beside the page. Then the page and its .json
are written, and that file is deleted.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.cases import Case
from benchmarks.earlier import read_earlier
from benchmarks.gate.trees import say
from benchmarks.roofline import processes
from benchmarks.roofline.measurements import in_own_process
from impls.engine.files import write_atomically
from impls.errors import UserError
from impls.repository import commit_of_code

State = dict[str, Any]  # `frameworks` as in processes.py; `date`, `commit` and `precision` of the measuring


def check(options: argparse.Namespace, output: Path | None) -> None:
    """Refuse a number of processes below 1, and a page in a folder that does not exist, with a UserError."""
    if options.processes < 1:
        raise UserError("--processes must be at least 1")
    if output and not output.parent.is_dir():
        raise UserError(f"there is no folder {output.parent} for {output.name}")


def begin(options: argparse.Namespace, output: Path | None) -> State:
    """An empty state, or with --resume or --draw-again the one that an earlier call has left.

    Raises:
        UserError: there is nothing to resume, or there is something and --resume is missing.
    """
    unfinished = _unfinished(output) if output else None
    if options.draw_again and output:
        return read_earlier(output.with_suffix(".json"), options.command, "begun", flag="--draw-again")
    if options.resume and output and unfinished:
        file = unfinished if unfinished.exists() else output.with_suffix(".json")
        state = read_earlier(file, options.command, "begun")
        processes.forget_failures(state["frameworks"])
        return state
    if unfinished and unfinished.exists():
        raise UserError(f"{unfinished} is from a measuring that was stopped: add --resume, or delete it to begin anew")
    return {"begun": datetime.datetime.now().isoformat(timespec="seconds"), "frameworks": {}}


def measure(
    options: argparse.Namespace,
    state: State,
    output: Path | None,
    cases: Mapping[str, Case],
    plain: Sequence[str] = (),
    skip: Callable[[processes.Unit], str | None] = lambda unit: None,
) -> None:
    """Measure what `state` lacks, and write the state after each process.

    Args:
        plain: names of the cases whose plain loop is timed.
        skip: why a case is not measured, or None.
    """
    found, file = state["frameworks"], _unfinished(output) if output else None
    commit = str(commit_of_code())  # before the page is written, which changes a file of the repository
    frameworks = ("torch", "jax") if options.framework == "both" else (options.framework,)
    watched, watch = "", machine.Watch()
    entry: dict[str, float] = {}
    try:
        for unit in processes.missing(found, frameworks, list(cases), plain, options.processes):
            part = processes.part_of(found, unit.framework)
            if reason := skip(unit) if unit.kind == "case" else None:
                part["cases"].setdefault(unit.name, {})["skipped"] = reason
                say(f"{unit.framework}: {unit.name} is skipped: {reason}")
                continue
            if unit.framework != watched:
                watched, watch, entry = unit.framework, machine.Watch(), {}
                part["watched"].append(entry)
            news = _measure_one(options, found, unit, cases)
            entry |= watch.stop()
            state |= {"date": str(datetime.date.today()), "commit": commit, "precision": options.precision}
            if file:
                write_atomically(file, json.dumps(state).encode())
            say(f"{unit.framework}: process {unit.number} of {options.processes}, {news}")
    except processes.Differs:  # --resume cannot go on here
        raise
    except BaseException:
        if file and file.exists():
            again = shlex.join(word for word in options.words if word != "--resume")
            say(f"what was measured is kept in {file}; go on with: python -m benchmarks {again} --resume")
        elif not file:
            say("nothing was kept: to go on later, begin with --output")
        raise


def _measure_one(
    options: argparse.Namespace, found: processes.Found, unit: processes.Unit, cases: Mapping[str, Case]
) -> str:
    """Measure one unit and add its result, or its error; returns a line about it."""
    what = cases[unit.name] if unit.kind == "case" else unit.name
    try:
        result = in_own_process(what, unit.framework, options.precision, options.device)
    except RuntimeError as error:
        if unit.kind != "case":
            raise UserError(f"measuring {unit.framework}, {unit.kind} {unit.name}: {error}") from None
        # One case must not stop the others.
        processes.part_of(found, unit.framework)["cases"].setdefault(unit.name, {})["error"] = str(error)
        return f"{unit.name}: {error}"
    processes.add(found, unit, result)
    if unit.kind == "case":
        return f"{unit.name}: {1e3 * result['seconds_per_step']:.3g} ms/step"
    if unit.kind == "plain":
        return f"plain loop of {unit.name}: {result['rate']:.3g} model-steps/s"
    return "limits of the machine"


def finish(state: State, output: Path, page: str, drawn_again: bool = False) -> None:
    """Write the page; after a measuring also its .json, and then delete the file of the unfinished measuring."""
    if not drawn_again:
        write_atomically(output.with_suffix(".json"), json.dumps(state, indent=1).encode())
    write_atomically(output, page.encode())
    say(f"written: {output}")
    if not drawn_again:
        _unfinished(output).unlink(missing_ok=True)


def _unfinished(output: Path) -> Path:
    return output.with_suffix(".unfinished.json")
