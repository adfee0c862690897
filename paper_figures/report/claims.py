"""The report's claims: rows of its table, counts of verdicts, and the statements that the paper makes in words."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pandas as pd

from impls.errors import UserError
from paper_figures.claims.judging import judged_claims
from paper_figures.claims.matching import OPEN, cell_of
from paper_figures.claims.measures import MEASURES
from paper_figures.claims.remarks import remarks, resolves_text
from paper_figures.claims.sections import section
from paper_figures.claims.statistics import TWO_SIDED, VERDICTS
from paper_figures.drawing.table_files import paper_text
from paper_figures.files import JUDGED_CLAIMS
from paper_figures.names import DATASETS, FRAMEWORKS, METHODS, METRICS, MODELS

# Statements whose name is not in their id.
STATEMENTS = {
    "steps_fraction_a": "network A comes to its final error in less than half the steps",
    "steps_fraction_b": "network B learns faster",
}
HYPOTHESIS = "hypothesis/"  # how the ids of this suite's own claims begin
IN_A_SENTENCE = {name: METHODS[name] for name in ("dni", "cdni", "bptt")} | {"bprop": METHODS["bprop"].lower()}
WAITING = ("missing", "not comparable", "inconclusive")  # verdicts that a further run could settle


def claims_with_headings(results: Path) -> pd.DataFrame:
    """The judged claims, each with its `heading`, the section of the paper.

    Raises:
        UserError: there is no <results>/claims.csv yet, which the report leads to and which has the same verdicts.
    """
    judged, _ = judged_claims(results)
    path = results / JUDGED_CLAIMS
    if not path.is_file():
        raise UserError(
            f"{path}: not there yet. Judge the claims first: python -m paper_figures claims --results {results}"
        )
    return judged.assign(heading=judged["section"].map(section))


def verdict_words(judged: pd.DataFrame) -> list[str]:
    """The verdicts that occur, in the order of `VERDICTS`; the two sides of "differs" are two words."""
    words = set(judged["verdict"]) - {""}
    return sorted(words, key=lambda word: (_rank(word), word))


def verdict_counts(judged: pd.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    """How many claims have a verdict: by section of the paper ("All sections" first), framework and verdict."""
    parts = {"All sections": judged, **dict(list(judged.groupby("heading", sort=False)))}
    return {
        heading: {framework: _counts(part[part["framework"] == framework]) for framework in FRAMEWORKS}
        for heading, part in parts.items()
    }


def claim_rows(judged: pd.DataFrame) -> list[dict[str, Any]]:
    """One row of text per claim and framework; those that end in `_key` are what their column is sorted by."""
    return [_row(claim) for claim in judged.to_dict("records")]


def statements(judged: pd.DataFrame) -> list[dict[str, Any]]:
    """The paper's statements in words (orderings, trends, bounds), each with the verdicts of the claims that test it.

    A row has its `heading` and `name`, and by framework the counts of verdicts and the `side`: how many of our means
    lie on the paper's side of the bound, or within the margin, whatever may be concluded from them.
    """
    in_words = judged[[statement(claim) != "" for claim in judged.to_dict("records")]]
    in_words = in_words.assign(name=[statement(claim) for claim in in_words.to_dict("records")])
    rows = []
    for (heading, name), part in in_words.groupby(["heading", "name"], sort=False):
        frameworks = {framework: part[part["framework"] == framework] for framework in FRAMEWORKS}
        counts = {framework: _counts(claims) for framework, claims in frameworks.items()}
        sides = {framework: _side(claims) for framework, claims in frameworks.items()}
        rows.append({"heading": heading, "name": name, "counts": counts, "side": sides})
    order = list(judged["heading"].unique())
    return sorted(rows, key=lambda row: order.index(row["heading"]))


def statement(claim: dict[str, Any]) -> str:
    """A few words for a claim that is a statement and no number, the same for all claims that make it; else ""."""
    is_named = claim["id"].startswith(("finding/", HYPOTHESIS))
    if claim["direction"] == TWO_SIDED and not is_named:
        return ""
    name = claim["id"].split("/")[1] if is_named else claim["metric"]
    return STATEMENTS.get(name, " ".join(IN_A_SENTENCE.get(word, word) for word in name.split("_")))


def sides(judged: pd.DataFrame) -> dict[str, str]:
    """By framework, how many of our means lie on the paper's side of all its statements: "17 of 24"; "" without one."""
    in_words = judged[[statement(claim) != "" for claim in judged.to_dict("records")]]
    in_words = in_words[~in_words["id"].str.startswith(HYPOTHESIS)]
    return {framework: _side(in_words[in_words["framework"] == framework]) for framework in FRAMEWORKS}


def _counts(part: pd.DataFrame) -> dict[str, int]:
    return {word: int((part["verdict"] == word).sum()) for word in verdict_words(part)}


def _side(part: pd.DataFrame) -> str:
    ours, bound = part["ours"], part["value"]
    good = (ours - bound).abs().lt(part["margin"])
    good = good.mask(part["direction"] == "at most", ours.le(bound))
    good = good.mask(part["direction"] == "at least", ours.ge(bound)) & ours.notna()
    return f"{int(good.sum())} of {int(ours.notna().sum())}" if ours.notna().any() else ""


def cell_and_metric(claim: dict[str, Any]) -> tuple[str, str]:
    """The cell of a claim and its metric, in words: ("MNIST, fully connected, 4 layers, DNI", "test error ...")."""
    layers = "" if pd.isna(claim["layers"]) else f"{int(claim['layers'])} layers"
    fields = [
        DATASETS.get(claim["dataset"], claim["dataset"]),
        MODELS.get(claim["model"], claim["model"]),
        layers,
        METHODS.get(claim["method"], claim["method"]),
        *(part.replace("~*", " chosen").replace("~", " ").replace("_", " ") for part in claim["cell"].split("/")),
        claim["replicas"].replace("_", " "),
    ]
    against = claim.get("reference", "").replace("~", " ").replace("_", " ").replace("/", ", ")
    metric = METRICS.get(claim["metric"], claim["metric"].replace("_", " "))
    if claim["unit"] not in metric:
        metric += f", {claim['unit']}"
    at = "" if pd.isna(claim["iteration"]) else f", at {int(claim['iteration']):,} iterations"
    return ", ".join(filter(None, fields)) + (f"; against {against}" if against else ""), metric + at


def folder_of(claim: Any) -> str:
    """The folder of a claim's cell below its experiment, with `OPEN` for a field that it leaves open."""
    return "/".join(f"{name}~{value}" for name, value in cell_of(claim).items())


def command_id(claim: Any) -> str:
    """Where on the page the command stands that settles a claim; claims of one cell and framework share it."""
    folder = folder_of(claim).replace(OPEN, "any")
    return re.sub(r"[^a-z0-9]+", "-", f"fill-{claim['experiment']}-{folder}-{claim['framework']}")


def _row(claim: dict[str, Any]) -> dict[str, Any]:
    cell, metric = cell_and_metric(claim)
    bound = claim["direction"] != TWO_SIDED
    return {
        "id": claim["id"],
        "statement": statement(claim),
        "cell": cell,
        "metric": metric,
        "place": claim["section"],
        "heading": claim["heading"],
        "framework": claim["framework"],
        "paper": f"{claim['direction']} {claim['value']:g}" if bound else paper_text(pd.Series(claim)),
        "paper_key": claim["value"],
        "source": _source(claim),
        **_ours(claim),
        "margin": "none: a bound" if bound else f"± {claim['margin']:g}",
        "margin_key": claim["margin"],
        "reason": claim["reason"],
        "resolves": resolves_text(claim),
        "resolves_key": resolves_text(claim) and claim["resolves"],
        "verdict": claim["verdict"],
        "remarks": remarks(claim),
        "since": claim["since"][:10] or "not committed",
        "verdict_key": _rank(claim["verdict"]),
        "why": claim["why"].partition("; `python -m impls list`")[0],
        "chosen": claim["chosen"],
        "run": claim["run"],
        "fill": command_id(claim) if claim["verdict"] in WAITING else "",
    }


def _rank(word: str) -> int:
    """The place of a verdict in the order of `VERDICTS`."""
    return list(VERDICTS).index(word.partition(" (")[0])


def _source(claim: dict[str, Any]) -> str:
    """Where the paper has the number."""
    if claim["obtained"] == "digitised":
        return f"read off a plot, ± {claim['reading_error']:g}"
    return {"table": "from a table", "text": "from the text"}.get(claim["obtained"], claim["obtained"])


def _ours(claim: dict[str, Any]) -> dict[str, Any]:
    """Our mean, its interval, and of how many replicas."""
    measure = MEASURES[claim["metric"]]
    n, n_diverged = int(claim["n"]), int(claim["n_diverged"])
    interval = f"[{claim['low']:.{measure.digits}f}, {claim['high']:.{measure.digits}f}]"
    replicas = [f"n = {n}"] if n else []
    replicas += [f"{n_diverged} {measure.failure}"] if n_diverged else []
    iterations = [claim["ours_iteration"], claim["iteration"]]
    elsewhere = not pd.isna(iterations[0]) and (pd.isna(iterations[1]) or iterations[0] != iterations[1])
    at = [f"at {int(iterations[0]):,}"] if elsewhere else []
    return {
        "ours": "" if math.isnan(claim["ours"]) else f"{claim['ours']:.{measure.digits}f}",
        "ours_key": "" if math.isnan(claim["ours"]) else claim["ours"],
        "interval": "" if pd.isna(claim["low"]) else interval,
        "n": "; ".join([*replicas, *at]),
    }
