"""`python -m benchmarks limits`: how close every case comes to the limit of this machine."""

from __future__ import annotations

import argparse
import difflib
import fnmatch
from pathlib import Path

from benchmarks.cases import CASES, PLAIN
from benchmarks.roofline import history, measuring, processes
from benchmarks.roofline.limits_page import as_markdown
from impls.errors import UserError

PAGE = Path("docs/limits.md")
PROCESSES = 5  # of each case: the median and the range of fewer say little


def limits(options: argparse.Namespace) -> int:
    """Measure, write the page, and print it; returns 0, or 1 if a case failed."""
    names = [name for name in CASES if fnmatch.fnmatchcase(name, options.cases)]
    if not names:
        near = difflib.get_close_matches(options.cases, CASES, n=3) or list(CASES)
        raise UserError(f"no case matches {options.cases!r}. There are: {', '.join(near)}")
    output = options.output or (PAGE if len(names) == len(CASES) else None)
    measuring.check(options, output)
    if not output and (options.resume or options.draw_again):
        raise UserError("--resume and --draw-again need --output, because --cases leaves some cases out")
    state = measuring.begin(options, output)
    if not options.draw_again:
        plain = [name for name, compared in PLAIN.items() if {*compared} & {*names} and options.precision == "fp32"]
        measuring.measure(options, state, output, {name: CASES[name] for name in names}, plain)
        if output:
            state["history"] = history.earlier(output.with_suffix(".json"))
            if len(names) == len(CASES):
                state["history"] = history.with_line(state["history"], history.line_of(state))
    page = as_markdown(state)
    if output:
        measuring.finish(state, output, page, drawn_again=options.draw_again)
    print(page)
    return int(bool(processes.errors(state["frameworks"])))
