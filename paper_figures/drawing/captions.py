"""Caption sentences generated from the run records: data, settings, iterations, and devices."""

from __future__ import annotations

import re
from collections import Counter

from impls.engine.record import DataRecord
from paper_figures.claims.statistics import VERDICTS
from paper_figures.names import DATASETS, FRAMEWORKS
from paper_figures.runs import Run

DEPTH_CHOSEN_ON_TEST = (
    "The paper chose the number of hidden layers of the synthetic-gradient models by test error. "
    "Its DNI numbers, and ours at its sizes, are therefore slightly optimistic."
)


def data_line(runs: list[Run]) -> str:
    """The data that the runs used; starts with "STAND-IN DATA" if any of it replaces the paper's data."""
    if not runs:
        return "No runs found: only the paper's numbers are shown."
    entries = [entry for run in runs for entry in run.record.data]
    entries.sort(key=lambda entry: list(DATASETS).index(entry.name))
    kinds = {"generated": "generated from the seed, as in the paper", "original": "original"}
    genuine = []
    for source, words in kinds.items():
        names = dict.fromkeys(DATASETS[entry.name] for entry in entries if entry.source == source)
        genuine += [f"{', '.join(names)} ({words})"] if names else []
    stand_ins = dict.fromkeys(_describe(entry) for entry in entries if entry.source == "stand-in")
    if not stand_ins:
        return f"Data: {'; '.join(genuine)}."
    count = sum(run.stand_in for run in runs)
    where = "" if count == len(runs) else f" in {count} of {len(runs)} runs"
    rest = [f"other data: {'; '.join(genuine)}"] if genuine else []
    return f"STAND-IN DATA{where}: {'; '.join([*stand_ins, *rest])}."


def settings_line(runs: list[Run], paper_iterations: int | None) -> str:
    """Preset, changes from the paper's settings or from this suite's choices, and iterations reached.

    Args:
        paper_iterations: the paper's training length; None if it states none, or ends training by a stopping rule.
    """
    if not runs:
        return ""
    parts = [f"Preset {', '.join(sorted({run.record.preset or 'none' for run in runs}))}"]
    changes = Counter(change for run in runs for change in run.record.differs_from_paper + run.record.changed_choices)
    lengths = {change for change in changes if change.startswith("iterations = ")}  # reported below
    parts += [
        _with_commas(text) + ("" if n == len(runs) else f" in {n} of {len(runs)} runs")
        for text, n in sorted(changes.items())
        if text not in lengths
    ]
    reached = [run.record.iteration_reached for run in runs]
    least, most = f"{min(reached):,}", f"{max(reached):,}"
    length = f"{least if least == most else f'{least} to {most}'} iterations"
    usual = {change.partition("(")[2] for change in lengths}  # "default: 2500000)"
    if paper_iterations is None:
        parts.append(f"{length} ({_with_commas(usual.pop())}" if len(usual) == 1 else length)
    elif min(reached) < paper_iterations:
        parts.append(f"{length} (paper: {paper_iterations:,})")
    partial = sum(run.record.status == "partial" for run in runs)
    if partial:
        parts.append(f"{partial} of {len(runs)} runs unfinished")
    return "; ".join(parts) + "."


def machines_line(runs: list[Run]) -> str:
    """Frameworks with their versions, devices, precision, and how many runs are from code that was not committed."""
    if not runs:
        return ""
    frameworks = sorted({(run.record.framework, run.record.versions[run.record.framework]) for run in runs})
    names = [f"{FRAMEWORKS[name]} {version}" for name, version in reversed(frameworks)]
    devices = sorted({run.device for run in runs})
    precisions = sorted({run.record.precision for run in runs})
    edited = sum(bool(run.record.code.git_dirty) for run in runs)
    count = f"{edited} of {len(runs)} runs" if len(runs) > 1 else "a run"
    uncommitted = [f"{count} from code with edits that no commit has"] if edited else []
    return f"{'; '.join([', '.join(names), ', '.join(devices), ', '.join(precisions), *uncommitted])}."


def verdict_legend(words: set[str]) -> str:
    """The meanings of the verdicts in `words`."""
    plain = {word.split(" (")[0] for word in words}
    return "; ".join(f"{word}: {meaning}" for word, meaning in VERDICTS.items() if word in plain) + "."


def _with_commas(text: str) -> str:
    """`text` with thousands separators in whole numbers of five digits or more."""
    return re.sub(r"(?<![\d.])\d{5,}(?![\d.])", lambda number: f"{int(number[0]):,}", text)


def _describe(entry: DataRecord) -> str:
    description = re.sub("^stand-in[^:]*: *", "", entry.description, flags=re.IGNORECASE)
    return f"not {DATASETS[entry.name]} but {description}"
