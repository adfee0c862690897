r"""Every number as a LaTeX macro, so that no number in a manuscript is copied by hand.

    \input{results/published/cpu-2-cores/values.tex}
    ... an error of \dniFeedforwardMnistFcnFourCdniTorch\,\% (the paper: \dniFeedforwardMnistFcnFourCdniPaper\,\%) ...

A name is the claim's `id` in letters (`macro_names.in_letters`), without "table", "text" or "fig", and the framework.
A value that must not be compared with the paper's is marked with a dagger, or with a double dagger if it is from
stand-in data. A value without a run is printed as "[missing]" in bold.
"""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from paper_figures.claims.judging import judged_claims
from paper_figures.claims.measures import MEASURES
from paper_figures.claims.remarks import verdict_and_remarks
from paper_figures.claims.statistics import TWO_SIDED
from paper_figures.drawing.latex import escape
from paper_figures.drawing.table_files import paper_text
from paper_figures.provenance.embedding import with_comment, with_record
from paper_figures.provenance.stamps import USUAL, Request, one_line
from paper_figures.publish.macro_names import in_letters

TITLE = "every number as a LaTeX macro, with interval, replicas and verdict"
OUTPUT = "values.tex"

MISSING = r"\dniMissing{}"
VARIANTS = ("", "Value", "HalfWidth", "N", "Verdict")
HEAD = r"""% Numbers of {results} as macros. Made by the workflow; do not edit.
% {stamp}
%
% \dni<Claim>Paper      the paper's number as printed
% \dni<Claim>Torch      ours, from PyTorch: mean and half-width of its 95% t interval; \dni<Claim>Jax: from JAX
%   ...Value            only the mean
%   ...HalfWidth        only the half-width of the interval
%   ...N                replicas (independent seeds) in the mean
%   ...Verdict          verdict on the paper's number, with remarks (post hoc, also fits, ...)
% Curriculum steps differ in length, so the intervals of task lengths are given by both ends.
\newcommand{{\dniMissing}}{{\textbf{{[missing]}}}}
\newcommand{{\dniNotComparable}}[1]{{#1\ensuremath{{^\dagger}}}}% reduced size, changed choice, or stopped early
\newcommand{{\dniStandIn}}[1]{{#1\ensuremath{{^\ddagger}}}}% stand-in data: not the paper's problem
"""


def macro(claim: str, source: str, variant: str = "") -> str:
    r"""The macro's name without its backslash.

    Args:
        claim: the id of a claim.
        source: "paper" or a framework.
        variant: one of `VARIANTS`; the paper has only the first.
    """
    artifact, _, cell = claim.partition("/")
    place = artifact.partition("_")[2]
    return f"dni{in_letters(place)}{in_letters(cell)}{source.capitalize()}{variant}"


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of values.tex, and of the .json with its stamp, by suffix."""
    judged, runs = judged_claims(results)
    used = [run for run in runs if run.path in set(judged["run"])]
    stamp = request.stamp(Path(__file__).stem, results, used)
    lines = [HEAD.format(results=stamp["command"].rpartition(" ")[2], stamp=one_line(stamp))]
    for claim, rows in judged.groupby("id", sort=False):
        first = rows.iloc[0]
        bound = "" if first["direction"] == TWO_SIDED else f", {first['direction']}"
        lines.append(f"\n% {claim}: {first['metric']}, {first['unit']}{bound}\n")
        lines.append(_definition(macro(claim, "paper"), escape(paper_text(first))))
        for _, row in rows.iterrows():
            for variant, text in zip(VARIANTS, _texts(row), strict=True):
                lines.append(_definition(macro(claim, row["framework"], variant), text))
    return with_record({".tex": with_comment(".tex", "".join(lines), stamp)}, TITLE, stamp)


def _definition(name: str, text: str) -> str:
    return rf"\newcommand{{\{name}}}{{{text}}}" + "\n"


def _texts(row: pd.Series) -> tuple[str, ...]:
    """The texts of the macros of one claim and framework, in the order of `VARIANTS`."""
    measure, verdict = MEASURES[row["metric"]], escape(verdict_and_remarks(row))
    if math.isnan(row["ours"]):
        failed = rf"\textbf{{[{row['n_diverged']} {measure.failure}]}}" if row["n_diverged"] else MISSING
        return failed, failed, failed, str(row["n"]), verdict
    numbers = (row["ours"], row["low"], row["high"], (row["high"] - row["low"]) / 2)
    mean, low, high, half = (f"{number:.{measure.digits}f}" for number in numbers)
    both = rf"${mean} \pm {half}$"
    if math.isnan(row["low"]):
        both, half = f"{mean} ($n = {row['n']}$)", MISSING
    elif measure.on_ladder:
        both = f"{mean} [{low}, {high}]"
    # The mean without failed replicas is optimistic, so their number is always printed with it.
    failed = f" ({row['n_diverged']} {measure.failure})" if row["n_diverged"] else ""
    texts = (both + failed, mean + failed, half)
    both, value, half = (text if text == MISSING else _marked(text, row) for text in texts)
    return both, value, half, str(row["n"]), verdict


def _marked(text: str, row: pd.Series) -> str:
    if row["verdict"] != "not comparable":
        return text
    return rf"\dniStandIn{{{text}}}" if row["why"].startswith("stand-in data") else rf"\dniNotComparable{{{text}}}"
