"""Reads the log of a training: its last lines, and how far its progress bar is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

LOG_LINES = 8
UNFINISHED_LINES = ("partial at iteration", "stopped at iteration")  # the last line of `train`, if it may go on
BAR = re.compile(r"(\d+)%\|.*<([\d:?]+), [^,\]]*(?:, ([^,\]]*))?")  # the percentage, the time left, what it does


class Bar(NamedTuple):
    """A progress bar as last written; `seconds_left` is None if the training did not know it."""

    percent: int
    seconds_left: float | None
    doing: str  # such as "compiling" or "iteration 600/2000"


def last_bar(log: Path) -> Bar | None:
    """The last progress bar in a log; None if there is none."""
    bars = [bar for line in _lines(log) if (bar := BAR.search(line))]
    if not bars:
        return None
    percent, left, doing = bars[-1].groups()
    known = None if "?" in left else sum(int(part) * 60**power for power, part in enumerate(reversed(left.split(":"))))
    return Bar(int(percent), known, doing or "")


def is_unfinished(log: Path) -> bool:
    """Whether the log ends with a training that was stopped: by its time limit or by a signal."""
    return any(line.startswith(UNFINISHED_LINES) for line in _lines(log)[-1:])


def last_lines(log: Path) -> list[str]:
    """The end of a log without progress bars, and the line before it that names the error."""
    lines = [line for line in _lines(log) if "model-steps" not in line]
    error = next((n for n in range(len(lines) - 1, -1, -1) if lines[n].startswith("error:")), len(lines))
    if error < len(lines) - LOG_LINES:
        return [lines[error], "...", *lines[-LOG_LINES:]]
    return lines[-LOG_LINES:]


def _lines(log: Path) -> list[str]:
    """The lines at the end of a log that are not empty; none if there is no log."""
    try:
        text = log.read_text(errors="replace")[-20_000:]
    except FileNotFoundError:
        return []
    return [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]
