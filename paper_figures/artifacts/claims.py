"""The table of claims: results/<preset>/claims.csv, one row per claim and framework, with a verdict."""

from __future__ import annotations

from pathlib import Path

from paper_figures.claims.judging import judged_claims
from paper_figures.files import JUDGED_CLAIMS, table_csv
from paper_figures.provenance.embedding import with_record
from paper_figures.provenance.stamps import USUAL, Request

TITLE = "every published number and finding, with our result, interval, margin or bound, and verdict"
OUTPUT = JUDGED_CLAIMS


def make(results: Path, request: Request = USUAL) -> dict[str, bytes]:
    """The contents of claims.csv, and of the .json with its stamp, by suffix."""
    judged, runs = judged_claims(results)
    return with_record({".csv": table_csv(judged)}, TITLE, request.stamp(Path(__file__).stem, results, runs))
