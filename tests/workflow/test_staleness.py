"""Editing a module makes exactly those results stale whose jobs run it.

No job runs here: results are empty files, apart from what says which code and data made a run.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from impls.presets import cells, load_preset, replicas, result_directory
from impls.registry import spec_class
from impls.sources import sources_sha256, training_sources

pytestmark = pytest.mark.slow("runs Snakemake")

PAPER = {"table", "figure", "claims", "values", "report"}
TRAINING = {"torch", "jax"}
RECURRENT = (
    *("/recurrent/", "table_rnn", "text_ptb", "fig_copy_progress", "fig_ptb_curves", "fig_boundary_quality"),
    *("/carried_state/", "fig_carried_state", "/small_copy/", "table_small_copy", "fig_small_copy"),
    *("/repeat_copy_choices/", "fig_repeat_copy_choices"),
)
TWO_NETWORK = ("/two_network/", "fig_two_network", "fig_two_network_periods")
EDITS = {
    "impls/experiments/feedforward/spec.py": TRAINING | PAPER,
    "impls/experiments/feedforward/torch_impl.py": {"torch"} | PAPER,
    "impls/experiments/feedforward/jax_impl.py": {"jax"} | PAPER,
    "impls/engine/torch_engine.py": {"torch"} | PAPER,
    "impls/engine/jax_engine.py": {"jax"} | PAPER,
    "impls/engine/train.py": TRAINING | PAPER,
    "impls/data/mnist.py": {"data"} | TRAINING | PAPER,
    "impls/data/cifar10.py": {"data"} | TRAINING | PAPER,
    "impls/data/markov_text.py": {"data"} | TRAINING | PAPER,
    "paper_figures/drawing/style.py": {"figure", "report"},
    "paper_figures/drawing/table_files.py": {"table", "values", "report"},
    "paper_figures/report/runs.py": {"report"},
    "paper_figures/report/templates/report.js": {"report"},
    "paper_figures/claims/claims.csv": PAPER,
    "paper_figures/claims/claims.json": PAPER,
}
NO_JOB_RUNS = ("impls/presets.py", "README.md", "impls/experiments/bp_lambda/spec.py")  # of the smoke preset


def kind(path: str) -> str:
    """What an output file belongs to."""
    kinds = {"/data/": "data", "/torch/": "torch", "/jax/": "jax", "/tables/": "table", "/figures/": "figure"}
    return next((name for part, name in kinds.items() if part in path), Path(path).stem)


def records(checkout: Path) -> dict[str, dict]:
    """The record of every cell of the smoke preset, by its path; only what says whether it is up to date."""
    preset = load_preset(checkout / "config/smoke.yaml")
    found = {}
    for experiment in preset.experiments:
        for cell, framework in itertools.product(cells(preset, experiment), preset.frameworks):
            source = "generated" if cell["dataset"] in ("copy", "repeat_copy") else "stand-in"
            found[f"{result_directory(preset, experiment, cell, framework)}/run.json"] = {
                "status": "complete",
                "spec": spec_class(experiment)(**cell).model_dump(mode="json"),
                "seeds": list(range(replicas(preset, experiment, cell))),
                "framework": framework,
                "precision": "fp32",
                "data": [{"source": source, "files": {}}],
                "code": {"source_sha256": sources_sha256(training_sources(experiment, framework))},
            }
    return found


@pytest.fixture(scope="module")
def smoke_results(checkout: Path, snakemake) -> tuple[set[str], Callable[[], set[str]]]:
    """All outputs of the smoke preset, made and up to date, and a function that lists those stale by now."""
    (checkout / "README.md").touch()

    def outputs() -> list[list[str]]:
        lines = snakemake("--configfile", "config/smoke.yaml", "--summary").stdout.splitlines()
        header, *rows = [line.split("\t") for line in lines if "\t" in line]
        assert (header[0], header[-1]) == ("output_file", "plan")
        return rows

    made, everything = records(checkout), {row[0] for row in outputs()}
    for path in everything:
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_text(json.dumps(made.pop(path, {"files": {}})))
    assert not made
    snakemake("--configfile", "config/smoke.yaml", "--touch", "--forceall")
    # No edit shares its second with the results, whatever the resolution of the file system's clock.
    past = time.time() - 100
    for path in (checkout / "results").rglob("*"):
        os.utime(path, (past, past))
    for folder in ("impls", "paper_figures"):
        for path in (checkout / folder).rglob("*"):
            os.utime(path, (past - 100, past - 100))
    return everything, lambda: {row[0] for row in outputs() if row[-1] != "no update"}


def test_results_are_up_to_date_before_any_edit(smoke_results):
    everything, stale = smoke_results
    assert stale() == set()
    assert {kind(path) for path in everything} == {"data"} | TRAINING | PAPER


@pytest.mark.parametrize("source", EDITS)
def test_an_edit_makes_exactly_its_results_stale(source: str, smoke_results, checkout: Path):
    everything, stale = smoke_results
    path = checkout / source
    before = path.read_bytes()
    try:
        path.write_bytes(before + b"\n# edited\n")
        expected = {output for output in everything if kind(output) in EDITS[source]}
        if (
            source == "paper_figures/drawing/style.py"
        ):  # this table names its rows as its figure does, from the figure's file
            expected |= {output for output in everything if "table_small_copy" in output}
        if source.startswith("impls/experiments/feedforward/"):  # every other experiment runs them or builds on them
            expected -= {output for output in everything if any(part in output for part in RECURRENT + TWO_NETWORK)}
        assert stale() == expected
    finally:
        path.write_bytes(before)


ONE_EXPERIMENT = {
    "impls/experiments/single_dni/spec.py": ("/single_dni/", "text_single_dni", "fig_gradient_quality"),
    "impls/experiments/unlock/spec.py": (
        *("/unlock/", "fig_sparse_updates", "fig_complete_unlock"),
        *("/missed_visits/", "fig_missed_visits"),
    ),
    "impls/experiments/recurrent/spec.py": RECURRENT,
    "impls/experiments/carried_state/spec.py": ("/carried_state/", "fig_carried_state"),
    "impls/experiments/small_copy/spec.py": ("/small_copy/", "table_small_copy", "fig_small_copy"),
    "impls/experiments/two_network/spec.py": TWO_NETWORK,
}


@pytest.mark.parametrize("source", ONE_EXPERIMENT)
def test_an_edit_of_one_experiment_leaves_the_others(source: str, smoke_results, checkout: Path):
    everything, stale = smoke_results
    path = checkout / source
    before = path.read_bytes()
    parts = ONE_EXPERIMENT[source]
    of_all = {output for output in everything if kind(output) in ("claims", "values", "report")}
    try:
        path.write_bytes(before + b"\n# edited\n")
        expected = {output for output in everything if any(part in output for part in parts)}
        across = {path for path in everything if "table_frameworks" in path or kind(path) == "report"}
        assert stale() == expected | of_all | across
    finally:
        path.write_bytes(before)


def test_an_edit_of_what_no_job_runs_and_a_new_date_alone_make_nothing_stale(smoke_results, checkout: Path):
    """A new date as after `git checkout`: the contents are compared. All at once, because each call takes seconds."""
    _, stale = smoke_results
    before = {name: (checkout / name).read_bytes() for name in NO_JOB_RUNS}
    try:
        for name, content in before.items():
            (checkout / name).write_bytes(content + b"\n# edited\n")
        (checkout / "impls/experiments/feedforward/spec.py").touch()
        assert stale() == set()
    finally:
        for name, content in before.items():
            (checkout / name).write_bytes(content)


def test_results_in_another_clone_are_kept(smoke_results, checkout: Path):
    """There all sources are newer, and Snakemake knows nothing of the results. (Last: it forgets them here, too.)"""
    _, stale = smoke_results
    shutil.rmtree(checkout / ".snakemake")
    shutil.rmtree(checkout / "results/smoke/data")
    for path in (checkout / "impls").rglob("*.py"):
        path.touch()
    assert not {output for output in stale() if kind(output) in TRAINING}
    record = next(iter(records(checkout)))
    (checkout / record).write_text((checkout / record).read_text().replace('"seeds": [0]', '"seeds": [1]'))
    trained = {output for output in stale() if kind(output) in TRAINING}
    assert trained == {record, record.replace("run.json", "curves.parquet")}
