"""The report: one HTML file that opens from disk, with verdicts, claims, missing runs, tables, figures and runs.

It is made from claims.csv, the tables and figures drawn before, and the run records. It includes all of them, so it
needs no network and no other file. The summary comes first. The page is laid out in templates/report.html.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from paper_figures.claims.remarks import MEANINGS, RESOLVES
from paper_figures.claims.statistics import VERDICTS
from paper_figures.drawing import captions
from paper_figures.names import FRAMEWORKS
from paper_figures.provenance.embedding import with_comment, with_record
from paper_figures.provenance.stamps import USUAL, Request, one_line
from paper_figures.report.claims import (
    claim_rows,
    claims_with_headings,
    sides,
    statements,
    verdict_counts,
    verdict_words,
)
from paper_figures.report.drawings import drawings
from paper_figures.report.missing import PAPER_PRESET, missing_runs
from paper_figures.report.runs import changed_settings, run_rows, runs_in_trouble, trainings_without_record
from paper_figures.runs import Run, all_runs

TITLE = "everything on one page: verdicts, claims, missing runs, tables, figures and runs"
OUTPUT = "report.html"

TEMPLATES = Path(__file__).parents[1] / "report" / "templates"
SETTLED = ("reproduced", "consistent", "differs", "inconclusive")  # verdicts on runs that can be compared


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of report.html, and of the .json with its stamp, by suffix.

    Raises:
        UserError: the claims have not been judged yet, or a file of the results cannot be used.
    """
    runs = all_runs(results)
    judged = claims_with_headings(results)
    shown = drawings(results)
    claims = claim_rows(judged)
    missing = missing_runs(judged, runs, results)
    words = verdict_words(judged)
    stamp = request.stamp(Path(__file__).stem, results, runs)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template("report.html").render(
        head=_head(results, runs, set(judged["verdict"])),
        frameworks=FRAMEWORKS,
        words=[(word, word) for word in words],
        sections=[(name, name) for name in judged["heading"].unique()],
        meanings=VERDICTS,
        remarks=MEANINGS,
        resolves=RESOLVES,
        counts=verdict_counts(judged),
        claims=claims,
        statements=statements(judged),
        sides=sides(judged),
        waiting=missing,
        n_waiting=_waiting(missing),
        everything=PAPER_PRESET,
        drawings=shown,
        undrawn=[drawing["name"] for part in shown.values() for drawing in part if not drawing["kind"]],
        troubles=runs_in_trouble(runs) + trainings_without_record(results, runs),
        changes=changed_settings(runs),
        runs=run_rows(runs),
        note=captions.DEPTH_CHOSEN_ON_TEST,
        stamp=one_line(stamp),
        draw=stamp["command"].replace(f" {Path(__file__).stem} ", " NAME "),
    )
    return with_record({".html": with_comment(".html", page, stamp)}, TITLE, stamp)


def _waiting(missing: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
    """By framework, how many claims need a run."""
    rows = [row for part in missing.values() for row in part]
    return {name: sum(row["n"] for row in rows if row["framework"] == name) for name in FRAMEWORKS}


def _head(results: Path, runs: list[Run], verdicts: set[str]) -> dict[str, Any]:
    """The conditions of all numbers: preset, data, code, versions, devices."""
    codes = {(run.record.code.git_commit, run.record.code.git_dirty) for run in runs}
    commits = sorted(f"{commit[:10]}{' with edits' if dirty else ''}" for commit, dirty in codes if commit)
    comparable = any(word.startswith(SETTLED) for word in verdicts)
    return {
        "results": results.resolve().name,
        "presets": ", ".join(sorted({run.record.preset for run in runs})) or "none",
        "data": captions.data_line(runs),
        "stand_in": any(run.stand_in for run in runs),
        "comparable": comparable,
        "machines": captions.machines_line(runs),
        "commits": ", ".join(commits) or "not recorded",
        "n_runs": len(runs),
    }
