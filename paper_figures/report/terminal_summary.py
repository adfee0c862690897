"""The last lines that `snakemake` prints: what the results show, where they are, what to run next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from impls.errors import UserError
from impls.sources import portable
from paper_figures.claims.statistics import VERDICTS
from paper_figures.files import JUDGED_CLAIMS
from paper_figures.names import FRAMEWORKS
from paper_figures.report.claims import sides

COLUMNS = ("id", "metric", "framework", "direction", "value", "margin", "ours", "verdict")  # of the judged claims
PLACES = {
    "report, for a browser": "report.html",
    "main table": "tables/table_feedforward.md",
    "main figure": "figures/fig_feedforward_curves.png",
    "all verdicts": JUDGED_CLAIMS,
}
NEXT = {
    "snakemake --configfile config/paper.yaml -n": "lists the paper's cells",
    "python -m impls campaign --dry-run --budget-minutes 600": "what fits into ten hours here",
    "python -m impls list": "the command of each cell",
}


def terminal_summary(results: Path) -> Iterator[str]:
    """The lines, for a folder in which the claims have been judged.

    Raises:
        UserError: the folder has no judged claims, or they cannot be read.
    """
    claims = _judged(results / JUDGED_CLAIMS)
    yield f"{portable(results)}:"
    for framework, side in sides(claims).items():
        name = FRAMEWORKS[framework]
        on_its_side = f"{side} of our means are on the paper's side of its orderings and trends"
        yield f"  {name}: {on_its_side if side else 'no run of an ordering or trend yet'}"
        yield f"  {name}: {_verdicts(claims[claims['framework'] == framework])}"
    for what, place in PLACES.items():
        if (results / place).exists():
            yield f"  {what + ':':23} {portable(results / place)}"
    yield "Next:"
    yield from (f"  {command:56} {what}" for command, what in NEXT.items())


def _judged(file: Path) -> pd.DataFrame:
    try:
        claims = pd.read_csv(file)
    except FileNotFoundError:
        raise UserError(f"{file}: there is none yet; `snakemake claims` makes it") from None
    except (ValueError, UnicodeDecodeError):
        claims = pd.DataFrame()
    if missing := [name for name in COLUMNS if name not in claims]:
        raise UserError(f"{file}: damaged, no column {missing[0]}; delete it, and `snakemake claims` makes it again")
    return claims


def _verdicts(claims: pd.DataFrame) -> str:
    """How many claims have which verdict."""
    counts = claims["verdict"].str.split(" (", regex=False).str[0].value_counts()  # without the side in brackets
    return f"{len(claims)} claims: " + ", ".join(f"{counts[word]} {word}" for word in VERDICTS if word in counts)
