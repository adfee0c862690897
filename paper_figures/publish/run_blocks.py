"""Tables of docs/findings.md and config/README.md that are read from the runs and the presets themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from impls.errors import UserError
from impls.presets import cells, load_preset
from impls.registry import experiments, implementation_folder
from paper_figures.claims.estimates import Estimate, mean_of
from paper_figures.claims.judging import reading_of
from paper_figures.claims.matching import read_claims
from paper_figures.claims.measures import MEASURES
from paper_figures.claims.single_run import SOLVED
from paper_figures.drawing.table_files import markdown_lines
from paper_figures.names import DATASETS, FRAMEWORKS, RECURRENT_METHODS
from paper_figures.runs import ROOT, Run, select_runs

PRESETS = {
    "smoke": ("to check that every part runs", "stand-in", "a minute on two cores"),
    "quick": ("the paper's orderings, on a laptop", "stand-in", "15 to 20 minutes on two cores"),
    "paper": ("the paper's numbers", "original", "a GPU"),
}


def promotions(runs: list[Run], experiment: str) -> str:
    """A table for each data set: the iteration at which each replica solved each task of the curriculum.

    Raises:
        UserError: the experiment has no published run.
    """
    chosen = [run for run in runs if run.record.experiment == experiment and run.cell["dataset"] != "ptb"]
    if not chosen:
        raise UserError(f"{experiment!r}: no published run climbs a curriculum.")
    tables = []
    for dataset in dict.fromkeys(run.cell["dataset"] for run in chosen):
        lines = [(run, _promotions(run)) for run in select_runs(chosen, dataset=dataset)]
        lengths = sorted({length for _, found in lines for length in found})
        headings = ["T", "Method", "From", "Seeds", "Iterations", *(f"T_task = {length}" for length in lengths)]
        cells_of_table = [
            [
                str(run.cell["truncation_length"]),
                RECURRENT_METHODS[run.cell["method"]],
                FRAMEWORKS[run.record.framework],
                ", ".join(map(str, run.record.seeds)),
                f"{run.record.iteration_reached:,}",
                *(" / ".join(_at(found.get(length, {}), seed) for seed in run.record.seeds) for length in lengths),
            ]
            for run, found in lines
        ]
        title = f"{DATASETS[dataset]}: the iteration at which each seed solved a task (–: not solved)."
        tables.append(f"{title}\n\n{markdown_lines(headings, cells_of_table)}")
    return "\n\n".join(tables)


def target_scales(runs: list[Run]) -> str:
    """Test errors of cDNI on MNIST at 25,000 iterations: the paper's, and ours with either scale of M's target."""
    iteration = 25_000
    claims = read_claims()
    claims = claims[(claims["artifact"] == "fig_feedforward_curves") & (claims["iteration"] == iteration)]
    published = claims[claims["method"] == "cdni"].set_index("layers")["value"]
    ours: dict[str, dict[int, str]] = {"feedforward": {}, "target_scale": {}}
    for run in runs:
        experiment, cell = run.record.experiment, run.cell
        wanted = experiment == "feedforward" or cell.get("target_scale") == "batch_mean"
        if run.record.framework != "jax" or experiment not in ours or not wanted:
            continue
        curve = run.curve("test", "error")
        if (cell["dataset"], cell["model"], cell["method"]) == ("mnist", "fcn", "cdni") and iteration in curve.index:
            ours[experiment][cell["depth"]] = _mean_and_spread(curve.loc[iteration].to_numpy())
    lines = [
        [str(depth), f"{published[depth]:g}", ours["feedforward"].get(depth, ""), ours["target_scale"][depth]]
        for depth in sorted(ours["target_scale"])
    ]
    headings = ["Layers", "Paper", "One example's loss (default)", "The batch's mean loss"]
    what = f"Test error in percent after {iteration:,} iterations, JAX; mean ± half a 95% t interval (seeds)."
    return f"{what}\n\n{markdown_lines(headings, lines)}"


def missed_visits(runs: list[Run]) -> str:
    """Sparse updates of cDNI at 5,000 iterations, with both answers to what Adam does with a layer that is not visited.

    Raises:
        UserError: one of the two has no published run.
    """
    iteration = 5_000
    claims = read_claims()
    exponent = claims["metric"] == "test_error_exponent"
    drawn = (claims["artifact"] == "fig_sparse_updates") & (claims["method"] == "cdni")
    chosen = claims[(exponent | drawn) & (claims["iteration"] == iteration)]
    ours = {unvisited: _sparse_run(runs, unvisited) for unvisited in ("frozen", "zero_gradient")}
    lines = []
    for claim in chosen.to_dict("records"):
        digits = MEASURES[claim["metric"]].digits
        found = [_estimate_text(reading_of(claim, run, [run]).estimate, digits) for run in ours.values()]
        what = "power of p_update" if claim["metric"] == "test_error_exponent" else f"error, {claim['replicas']}"
        lines.append([what, f"{claim['value']:g} ± {claim['margin']:g}", *found])
    headings = ["", "Paper ± margin", *(f"`{unvisited}`" for unvisited in ours)]
    what = f"Test error in percent after {iteration:,} iterations, JAX; ± half a 95% t interval (replicas)."
    return f"{what}\n\n{markdown_lines(headings, lines)}"


def _sparse_run(runs: list[Run], unvisited: str) -> Run:
    """The run of sparse cDNI with this answer, in JAX, that has the most replicas."""
    found = [
        run
        for run in runs
        if run.record.framework == "jax"
        and implementation_folder(run.record.experiment) == "unlock"
        and run.record.spec["unvisited"] == unvisited
        and not run.record.spec["synthetic_gradient_depth"]  # 0, or not given, which is 0 for sparse cDNI
        and (run.cell["method"], run.cell["unlock"]) == ("cdni", "sparse")
    ]
    if not found:
        raise UserError(f"no published run of sparse updates has unvisited = {unvisited}")
    return max(found, key=lambda run: len(run.record.seeds))


def presets() -> str:
    """The presets of config/, with the number of their cells."""
    lines = []
    for name, (purpose, data, where) in PRESETS.items():
        file = ROOT / "config" / f"{name}.yaml"
        preset = load_preset(file)
        count = sum(len(cells(preset, experiment)) for experiment in experiments())
        frameworks = " and ".join(FRAMEWORKS[framework] for framework in preset.frameworks)
        lines.append([f"`{name}`", purpose, data, str(count), frameworks, where])
    return markdown_lines(["Preset", "Purpose", "Data", "Cells", "Each in", "Where"], lines)


def _promotions(run: Run) -> dict[int, dict[int, int]]:
    """By task length in time steps, by seed, the iteration at which the task was solved."""
    split, metric = SOLVED
    points = run.curves[(run.curves["split"] == split) & (run.curves["metric"] == metric) & (run.curves["value"] > 0)]
    found: dict[int, dict[int, int]] = {}
    for (length, seed), iteration in points.groupby(["value", "seed"])["iteration"].min().items():
        found.setdefault(int(length), {})[int(seed)] = int(iteration)
    return found


def _at(iterations: dict[int, int], seed: int) -> str:
    return f"{iterations[seed]:,}" if seed in iterations else "–"


def _mean_and_spread(values: np.ndarray | pd.Series) -> str:
    return _estimate_text(mean_of(values), 2)


def _estimate_text(found: Estimate, digits: int) -> str:
    low, high = found.interval()
    interval = f" ± {(high - low) / 2:.{digits}f}" if found.n > 1 else ""
    return f"{found.mean:.{digits}f}{interval} ({found.n})"
