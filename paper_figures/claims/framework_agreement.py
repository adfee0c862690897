"""PyTorch against JAX in one cell: whether their results are equal within a margin, and how fast each was.

Replicas of one seed start from the same bytes and see the same data in both, so what is judged is their differences by
seed, as a finding of the paper is. The margin is that of the published number of the cell, where it has one, and else
the default of its metric (`OUTCOMES`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from impls.engine.record import RunRecord
from paper_figures.claims.curriculum import to_lengths, to_steps
from paper_figures.claims.estimates import LEVEL, holm, mean_of, paired_differences
from paper_figures.claims.matching import fits
from paper_figures.claims.measures import MEASURES, Measure
from paper_figures.claims.single_run import Reading, at_iteration
from paper_figures.claims.statistics import TWO_SIDED
from paper_figures.names import FRAMEWORKS
from paper_figures.runs import Run

VERDICTS = {
    "equivalent": "the mean difference is within the margin (two one-sided t tests)",
    "differs": "the mean difference is beyond the margin (t test), or a seed diverged in one framework alone",
    "inconclusive": "too few seeds, or too much spread, to tell",
    "not comparable": "another spec, data set, precision, or iteration reached",
}


@dataclass(frozen=True)
class Outcome:
    """What a run is judged by: its headline metric, and the margin where the paper has no number for its cell.

    Attributes:
        metric: the name of the metric, as in claims.csv where it is there.
        margin, relative_margin: the greater of the two counts, the second as a fraction of the mean.
        rule: the margin and its reason, in words.
    """

    metric: str
    measure: Measure
    unit: str
    margin: float
    relative_margin: float
    rule: str

    def is_of(self, run: Run) -> bool:
        """Whether the run recorded it."""
        place = (self.measure.split, self.measure.metric)
        return bool(((run.curves["split"] == place[0]) & (run.curves["metric"] == place[1])).any())

    def default_margin(self, mean: float) -> float:
        """The margin where the paper has no number, for results about `mean`."""
        return self.margin if math.isnan(mean) else max(self.margin, self.relative_margin * abs(mean))


# The first that a run recorded is its headline.
OUTCOMES = (
    Outcome(
        "max_solved_task_length",
        MEASURES["max_solved_task_length"],
        "curriculum steps",
        1,
        0,
        "one step of the curriculum, as for the paper's numbers: the finest difference that two replicas can have",
    ),
    Outcome(
        "test_bits_per_character",
        MEASURES["test_bits_per_character"],
        "bits",
        0.015,
        0,
        "0.015, as for the paper's numbers: one digit of its table and half of one",
    ),
    Outcome(
        "test_error",
        MEASURES["test_error"],
        "percentage points",
        0.3,
        0.1,
        "0.3 and above 3% a tenth of the error, as for most of the paper's numbers: 1.5 times the standard error of "
        "the difference of two tests of 10,000 images at an error of 2%",
    ),
    Outcome(
        "test_error_b",
        Measure("test", "error_b", True, at_iteration, 2),
        "percentage points",
        1.9,
        0,
        "1.9, as for the paper's claim on it: 1.5 times the standard error of the difference of two tests of 2,000 "
        "streams at an error of 20%",
    ),
)


def compare(torch: Run, jax: Run, claims: pd.DataFrame) -> dict[str, Any]:
    """Compares two runs of one cell that share a seed; `verdicts` judges all comparisons together.

    Means and differences are those of the shared seeds that diverged in neither; on a ladder the difference is in steps
    and the means are task lengths. NaN where there is nothing to compute.
    """
    outcome = next((one for one in OUTCOMES if one.is_of(torch) or one.is_of(jax)), None)
    named = {"experiment": torch.record.experiment, "cell": _cell(torch)}
    runs = {"torch_run": torch.path, "jax_run": jax.path}
    if outcome is None:
        return {**named, **_nothing("no metric that is known here was recorded"), **_speeds(torch, jax), **runs}
    readings = _readings(outcome, torch, jax)
    obstacles = _obstacles(torch.record, jax.record)
    gaps = dict.fromkeys(reading.gap for reading in readings if reading.gap)
    if gaps:
        return {**named, **_nothing("; ".join([*obstacles, *gaps])), **_speeds(torch, jax), **runs}
    dataset = torch.cell["dataset"]
    values = [_in_steps(outcome, dataset, reading.values) for reading in readings]
    shared = sorted(set(values[0].index) & set(values[1].index))
    whole = [np.isfinite(found[shared]) for found in values]
    differences = paired_differences(values[0], values[1])
    differences = differences[np.isfinite(differences)]
    means = [float(found[differences.index].mean()) for found in values]
    margin, source = _margin(outcome, torch, claims, float(np.mean(means)))
    estimate = mean_of(differences)
    low, high = estimate.interval()
    rounded = estimate.no_finer_than(_resolution(outcome, torch, jax))
    if outcome.measure.on_ladder:
        means = [float(to_lengths(dataset, mean)) for mean in means]
    return {
        **named,
        "metric": outcome.metric,
        "unit": outcome.unit,
        "torch": means[0],
        "jax": means[1],
        "difference": estimate.mean,
        "low": low,
        "high": high,
        "n": estimate.n,
        "n_diverged_torch": int((~whole[0]).sum()),
        "n_diverged_jax": int((~whole[1]).sum()),
        "n_diverged_alone": int((whole[0] != whole[1]).sum()),
        "iteration": max(reading.iteration or 0 for reading in readings),
        "margin": margin,
        "margin_from": source,
        "p_equivalence": rounded.p_equivalent(0, margin),
        "p_beyond": rounded.p_beyond(0, margin),
        "obstacles": "; ".join(obstacles),
        **_speeds(torch, jax),
        **runs,
    }


def verdicts(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """A table of what `compare` returned, with Holm's adjusted p values over all its comparable rows, word and why."""
    table = pd.DataFrame(rows)
    for name in ("p_equivalence", "p_beyond"):
        table[name] = table[name].mask(table["obstacles"] != "")
        table[f"{name}_holm"] = holm(table[name])
    judged = [_verdict(row) for row in table.to_dict("records")]
    return table.assign(verdict=[word for word, _ in judged], why=[why for _, why in judged])


def _verdict(row: dict[str, Any]) -> tuple[str, str]:
    interval = f"the 95% interval {row['low']:.3g} to {row['high']:.3g}"
    if row["obstacles"]:
        return "not comparable", row["obstacles"]
    if row["n_diverged_alone"]:
        counts = (f"{row[f'n_diverged_{framework}']} in {name}" for framework, name in FRAMEWORKS.items())
        return "differs", f"replicas that diverged: {' and '.join(counts)}"
    if row["n"] < 2:
        return "inconclusive", "one seed: no interval" if row["n"] else "every replica diverged in both"
    spread = " (the same for all seeds)" if row["low"] == row["high"] else ""
    for word, test, where in (("equivalent", "p_equivalence_holm", "within"), ("differs", "p_beyond_holm", "beyond")):
        if row[test] <= LEVEL:
            return word, f"mean difference {where} {row['margin']:.3g}: adjusted p = {row[test]:.2g}{spread}"
    return "inconclusive", f"{interval} is neither shown to lie within {row['margin']:.3g} nor beyond it"


def _nothing(why: str) -> dict[str, Any]:
    """The columns of a row that has no values."""
    texts = dict.fromkeys(["metric", "unit", "margin_from"], "")
    counts = dict.fromkeys(["n", "n_diverged_torch", "n_diverged_jax", "n_diverged_alone", "iteration"], 0)
    numbers = ["torch", "jax", "difference", "low", "high", "margin", "p_equivalence", "p_beyond"]
    return {**texts, **counts, **dict.fromkeys(numbers, math.nan), "obstacles": why}


def _readings(outcome: Outcome, torch: Run, jax: Run) -> list[Reading]:
    """At the last iteration that both have reached; on text, trained until early stopping, the best snapshots."""
    end = None
    if outcome.metric != "test_bits_per_character":
        end = min(run.record.iteration_reached for run in (torch, jax))
    return [outcome.measure.read(run, outcome.measure, end) for run in (torch, jax)]


def _in_steps(outcome: Outcome, dataset: str, values: pd.Series) -> pd.Series:
    return pd.Series(to_steps(dataset, values), values.index) if outcome.measure.on_ladder else values


def _resolution(outcome: Outcome, torch: Run, jax: Run) -> float:
    """The least step between two values of the metric in the curves of both, such as one image of the test set."""
    measure, dataset = outcome.measure, torch.cell["dataset"]
    curves = pd.concat([torch.curves, jax.curves])
    recorded = curves[(curves["split"] == measure.split) & (curves["metric"] == measure.metric)]["value"]
    values = np.unique(_in_steps(outcome, dataset, recorded.dropna()).round(6))
    return float(np.diff(values).min(initial=math.inf)) if len(values) > 1 else 0.0


def _margin(outcome: Outcome, run: Run, claims: pd.DataFrame, mean: float) -> tuple[float, str]:
    """The margin and where it is from: the id of the published number of the cell, or "default"."""
    printed = claims[(claims["metric"] == outcome.metric) & (claims["direction"] == TWO_SIDED)]
    printed = printed[(printed["obtained"] != "digitised") & (printed["replicas"] == "")]
    for claim in printed.to_dict("records"):
        if fits(claim, run):
            return claim["margin"], claim["id"]
    return outcome.default_margin(mean), "default"


def _obstacles(torch: RunRecord, jax: RunRecord) -> list[str]:
    """Why the results of two records cannot be compared: what differs, with both values, PyTorch's first."""
    absent = "not in the record"
    names = dict.fromkeys([*torch.spec, *jax.spec])
    pairs = [(name, torch.spec.get(name, absent), jax.spec.get(name, absent)) for name in names]
    pairs.append(("precision", torch.precision, jax.precision))
    # One that has ended by its own rule is at its end, wherever that is.
    if not torch.status == jax.status == "complete":
        pairs.append(("iteration reached", torch.iteration_reached, jax.iteration_reached))
    found = [f"{name} {mine} and {its}" for name, mine, its in pairs if mine != its]
    if _data(torch) != _data(jax):
        found.append("other data")
    return found


def _data(record: RunRecord) -> list[tuple]:
    return [(entry.name, entry.source, entry.files) for entry in record.data]


def _speeds(torch: Run, jax: Run) -> dict[str, Any]:
    """Model-steps per second of both, and their ratio, PyTorch's over JAX's, where it is one of frameworks alone."""
    speeds = [run.record.model_steps_per_second or math.nan for run in (torch, jax)]
    records = [run.record for run in (torch, jax)]
    names = dict.fromkeys(name for record in records for name in record.device)
    pairs = [(f"device {name}", *(record.device.get(name) for record in records)) for name in names]
    pairs.append(("replicas", *(len(record.seeds) for record in records)))
    found = [f"{name} {mine} and {its}" for name, mine, its in pairs if mine != its]
    found += [note for note in _obstacles(*records) if not note.startswith("iteration reached")]
    if any(math.isnan(speed) for speed in speeds):
        found.append("not recorded")
    return {
        "torch_steps_per_second": speeds[0],
        "jax_steps_per_second": speeds[1],
        "speed_ratio": math.nan if found else speeds[0] / speeds[1],
        "speed_obstacles": "; ".join(found),
    }


def _cell(run: Run) -> str:
    return "/".join(f"{name}~{value}" for name, value in run.cell.items())
