"""Sentences of a caption about curves that are not there, that ended early, or that have no interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from paper_figures.drawing.curve_points import ours
from paper_figures.drawing.panels import Family
from paper_figures.names import FRAMEWORKS

NO_RUN, DIVERGED, SINGLE = "No run", "Replicas that diverged (crosses)", "One replica alone"
Found = dict[str, dict[str, list]]  # by framework and remark: values of a family


def curve_notes(
    points: pd.DataFrame, family: Family, panel: str = "", titles: Mapping[Any, str] | None = None
) -> list[str]:
    """What a reader must know of a figure of curves with one panel for each value of the column `panel`.

    Args:
        family: the curves of a panel, of which some may have no run.
        titles: by value of `panel`, the names of the panels; none if there is one panel.
    """
    points = ours(points)
    ran = frameworks_of(points)
    notes = Notes(family, ran)
    for value, title in (titles or {None: ""}).items():
        here = points[points[panel] == value] if titles else points
        for framework in ran:
            for key in family.colours:
                notes.add(
                    *_remark(here[(here["source"] == framework) & (here[family.field] == key)]), title, framework, key
                )
    return notes.sentences((NO_RUN, DIVERGED, SINGLE))


@dataclass
class Notes:
    """Collects what holds for values of a family, and says it in one sentence for each kind of note.

    Attributes:
        ran: the frameworks with a run.
    """

    family: Family
    ran: list[str]
    _found: dict[str, dict[str, Found]] = field(default_factory=dict)

    def add(self, word: str, remark: str, title: str, framework: str, value: Any) -> None:
        """Adds a note of the kind `word` (if empty, nothing) about a value in the panel `title`."""
        if word:
            by_title = self._found.setdefault(word, {})
            by_title.setdefault(title, {}).setdefault(framework, {}).setdefault(remark, []).append(value)

    def sentences(self, words: Iterable[str]) -> list[str]:
        """A sentence about a framework that has no run, then one for each of these kinds that has a note."""
        found = {word: self._found.get(word, {}) for word in words}
        texts = (
            sentence(word, {title: in_words(by, self.family, self.ran) for title, by in by_title.items()})
            for word, by_title in found.items()
        )
        return [*absent_frameworks(self.ran), *filter(None, texts)]


def _remark(curve: pd.DataFrame) -> tuple[str, str]:
    if curve.empty:
        return NO_RUN, ""
    last = curve.loc[curve["iteration"].idxmax()]
    if last["n_diverged"]:
        return DIVERGED, count_in_brackets(int(last["n_diverged"]), int(last["n"] + last["n_diverged"]))
    return (SINGLE, "") if last["n"] == 1 else ("", "")


def frameworks_of(points: pd.DataFrame) -> list[str]:
    """The frameworks with a run among the points, in drawing order."""
    return [framework for framework in FRAMEWORKS if framework in set(points["source"])]


def absent_frameworks(ran: list[str]) -> list[str]:
    """A sentence about the framework without any run, if the other has one."""
    return [f"No run in {FRAMEWORKS[name]}." for name in FRAMEWORKS if ran and name not in ran]


def sentence(word: str, by_title: Mapping[str, str]) -> str:
    """One sentence from what holds for each panel: "No run: DNI (3 layers), cDNI (all)."; empty if nothing holds."""
    texts = [f"{title} ({text})" if title else text for title, text in by_title.items() if text]
    return f"{word}: {', '.join(texts)}." if texts else ""


def in_words(found: Found, family: Family, ran: list[str]) -> str:
    """Values by framework and remark: "3, 5 layers", or "PyTorch all; JAX 3 layers (1 of 3)".

    Args:
        ran: the frameworks with a run; if the same holds for all of them, they are not named.
    """
    texts = {name: family.grouped(values_by_remark) for name, values_by_remark in found.items()}
    if list(texts) == ran and len(set(texts.values())) == 1:
        return texts.popitem()[1]
    return "; ".join(f"{FRAMEWORKS[name]} {text}" for name, text in texts.items())


def count_in_brackets(diverged: int, replicas: int) -> str:
    """The number of diverged replicas, as " (1 of 3)"."""
    return f" ({diverged} of {replicas})"
