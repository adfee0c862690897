"""What the workflow would run, what it refuses, and that it passes the linters. Nothing is trained here."""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from snakemake.scheduling.job_scheduler import JobScheduler

from impls.presets import Preset, cells, load_preset
from impls.registry import experiments, spec_class
from paper_figures import registry
from paper_figures.claims.judging import judge
from paper_figures.claims.matching import read_claims
from paper_figures.report.missing import missing_runs

pytestmark = pytest.mark.slow("runs Snakemake")

TABLES = (
    *("table_feedforward", "text_deep", "text_single_dni", "text_stale_gradients", "table_rnn", "text_ptb"),
    *("table_small_copy", "table_frameworks", "table_unlocked"),
)
FIGURES = (
    *("fig_feedforward_curves", "fig_underfitting", "fig_gradient_quality", "fig_linear_dni", "fig_depth_choice"),
    *("fig_bp_lambda", "fig_target_scale", "fig_initial_weights"),
    *("fig_sparse_updates", "fig_complete_unlock", "fig_missed_visits", "fig_unlocked"),
    *("fig_copy_progress", "fig_ptb_curves", "fig_boundary_quality", "fig_carried_state", "fig_small_copy"),
    "fig_repeat_copy_choices",
    *("fig_two_network", "fig_two_network_periods"),
)
DATASETS = ("mnist", "cifar10", "copy", "repeat_copy", "ptb")
DRAWN = {
    **{f"tables/{name}": ("csv", "md", "tex", "json") for name in TABLES},
    **{f"figures/{name}": ("pdf", "svg", "png", "csv", "json") for name in FIGURES},
    "claims": ("csv", "json"),
    "values": ("tex", "json"),
    "report": ("html", "json"),
}
TARGETS = ("all", "tables", "figures", "claims", "values", "report", "crate", "readme", "dates", "data", "time_workers")
# Cells of the quick preset. The paper preset has more cuts and values of the decay and of lambda.
CELLS = {
    **{"feedforward": 48 + 2, "single_dni": 10, "linear_dni": 6, "stale_gradients": 8},
    **{"bp_lambda": 6, "target_scale": 3, "initial_weights": 3, "unlock": 4, "unlocked": 5, "missed_visits": 2},
    **{"recurrent": 10, "carried_state": 2, "repeat_copy_choices": 2, "small_copy": 2, "two_network": 7},
}
# Prints the rules of the jobs that a dry run plans, each with the jobs' priority. Snakemake itself shows it nowhere.
PRINT_PRIORITIES = """\
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import DAGSettings, OutputSettings, Quietness, ResourceSettings

with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    workflow = api.workflow(ResourceSettings(cores=1), snakefile=Path("Snakefile"))
    workflow.dag(DAGSettings()).execute_workflow(executor="dryrun")
    dag = workflow._workflow.dag
    print(*{f"{job.rule.name} {job.priority}" for job in dag.jobs if job in dag._priority}, sep="\\n")
"""


def job_counts(dry_run: subprocess.CompletedProcess) -> dict[str, int]:
    """Jobs by rule, from the table that a dry run prints."""
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", dry_run.stdout, re.MULTILINE)}


def expected_outputs(preset: Preset, base: str) -> set[str]:
    runs = {
        f"{base}/{experiment}/{spec_class(experiment)(**cell).path()}/{framework}/{file}"
        for experiment in experiments()
        for cell in cells(preset, experiment)
        for framework in preset.frameworks
        for file in ("curves.parquet", "run.json")
    }
    times = {f"{base}/unlocked/worker_times.json"}
    drawn = {f"{base}/{stem}.{suffix}" for stem, suffixes in DRAWN.items() for suffix in suffixes}
    return runs | times | drawn | {f"{base}/data/{dataset}.json" for dataset in DATASETS}


def test_every_artifact_is_drawn_by_the_workflow():
    assert {Path(path).name for path in DRAWN} == set(registry.names())


def test_the_default_is_the_quick_preset_in_both_frameworks(snakemake, checkout: Path):
    """The summary also says what a dry run would: which rule makes a file, and that it is yet to be made."""
    lines = [line for line in snakemake("--summary").stdout.splitlines() if line.startswith("results/")]
    outputs = {line.split("\t")[0]: line.split("\t")[2] for line in lines}
    trained = Counter(rule for path, rule in outputs.items() if path.endswith("/run.json"))
    assert trained == {f"train_{name}": 2 * n for name, n in CELLS.items()}
    assert set(CELLS) == set(experiments())
    assert set(outputs) == expected_outputs(load_preset(checkout / "config/quick.yaml"), "results/quick")
    assert all(line.endswith("update pending") for line in lines)


def test_the_main_figure_waits_for_what_it_shows_alone_and_comes_first(snakemake, checkout: Path, root: Path):
    profile = yaml.safe_load((root / "profiles/default/config.yaml").read_text())
    assert profile["prioritize"] == "draw_main_figure"
    planned = snakemake("results/quick/figures/fig_feedforward_curves.pdf", "--dry-run")
    assert job_counts(planned)["train_feedforward"] == 2 * 16, "MNIST, fully connected, in both frameworks"
    assert job_counts(planned)["draw_main_figure"] == 1


def test_the_main_table_comes_next_and_drawings_wait_for_no_other_training(checkout: Path):
    command = [sys.executable, "-c", PRINT_PRIORITIES]
    lines = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout.splitlines()
    priorities = {rule: int(priority) for rule, priority in map(str.split, lines)}
    first = {rule for rule, priority in priorities.items() if priority == 1}
    assert first == {"prepare_data", "train_feedforward", "draw_main_figure", "draw_figure", "draw_table"}
    assert {priorities[rule] for rule in priorities.keys() - first} == {0}
    assert {f"train_{name}" for name in CELLS} <= priorities.keys()


def test_the_limit_that_the_workflow_switches_off_is_still_called_so():
    """Under another name, Snakemake would again look for jobs once a second for every job that has ended."""
    assert "self.job_rate_limiter is not None" in inspect.getsource(JobScheduler)


def test_a_dry_run_at_the_papers_size_lists_every_training(snakemake, checkout: Path):
    """It downloads nothing."""
    data = checkout.parent / "data"
    dry_run = snakemake("--dry-run", "--configfile", "config/paper.yaml", DNI_DATA_DIR=str(data))
    counts = job_counts(dry_run)
    assert set(CELLS) == {rule.removeprefix("train_") for rule in counts if rule.startswith("train_")}
    assert counts["train_feedforward"] == 2 * CELLS["feedforward"]
    assert "--data original" in dry_run.stdout
    sized = set(re.findall(r"impls train (\w+) .* --iterations ", dry_run.stdout))
    assert sized == {"initial_weights", "missed_visits"}, "the paper preset must leave sizes to the defaults, or say so"
    assert not data.exists()
    assert not (checkout / "results").exists()


def test_a_named_preset_does_not_inherit_from_the_default_one(snakemake, checkout: Path):
    preset = yaml.safe_load((checkout / "config/smoke.yaml").read_text())
    del preset["replicas"]
    (checkout / "config/partial.yaml").write_text(yaml.safe_dump(preset))
    result = snakemake("--dry-run", "--configfile", "config/partial.yaml", fails=True)
    assert "config/partial.yaml: replicas: Field required" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "replica=5"], "config/quick.yaml with --config: unknown key 'replica'; did you mean 'replicas'?"),
        (["--config", "iterations=5"], "unknown key 'iterations'; it is a field of a cell; write it in a block of"),
        (["--config", "frameworks=[torhc]"], "frameworks[0]: Input should be 'torch' or 'jax' (given: 'torhc'); did"),
        (["--config", "preset=paper"], "For the cells of config/paper.yaml: snakemake --configfile config/paper.yaml"),
        (["--config", "source=published"], "results/published holds no run yet"),
    ],
)
def test_a_wrong_preset_is_refused_by_name(snakemake, arguments: list[str], message: str):
    assert message in snakemake("--dry-run", *arguments, fails=True).stdout


def test_blocks_with_other_settings_reach_the_commands_of_their_cells(snakemake, checkout: Path):
    preset = yaml.safe_load((checkout / "config/smoke.yaml").read_text())
    preset |= {"preset": "blocks", "frameworks": ["torch"]}
    block = preset["feedforward"][0]
    preset["feedforward"] = [block]
    for depth, units in ((4, 24), (5, 48)):
        cells_of_depth = block["cells"] | {"depth": [depth], "method": ["dni"]}
        preset["feedforward"].append({"cells": cells_of_depth, "settings": block["settings"] | {"hidden_units": units}})
    (checkout / "config/blocks.yaml").write_text(yaml.safe_dump(preset))
    output = snakemake("--dry-run", "--configfile", "config/blocks.yaml").stdout
    commands = re.findall(r"--depth (\d) --method dni .*--hidden-units (\d+) ", output)
    assert sorted(commands) == [("3", "16"), ("4", "24"), ("5", "48")]


def test_every_target_says_what_it_is_for(snakemake):
    lines = [line for line in snakemake("--list-target-rules").stdout.splitlines() if line]
    targets = {line.split(" ")[0]: line for line in lines}
    assert set(targets) == {*TARGETS, *experiments()}
    assert all(re.search(r"\(\w.{15,}\)$", line) for line in targets.values()), lines


def test_published_figures_need_no_training_and_neither_framework(snakemake, without_training, checkout: Path):
    for device in ("cpu-2-cores", "gpu"):
        run = checkout / f"results/published/{device}/feedforward/dataset~mnist/model~fcn/depth~4/method~dni/torch"
        run.mkdir(parents=True)
        (run / "run.json").write_text(json.dumps({}))
        (run / "curves.parquet").touch()
    try:
        dry_run = snakemake("--dry-run", "--config", "source=published", **without_training)
        packed = snakemake("crate", "readme", "--dry-run", "--config", "source=published", **without_training)
    finally:
        shutil.rmtree(checkout / "results")
    # For each device, the two tables of the one experiment that is there, the table of all, and one figure: the other
    # figure of the experiment shows no such net.
    drawn = {"draw_table": 6, "draw_main_figure": 2, "judge_claims": 2, "write_values": 2, "draw_report": 2}
    assert job_counts(dry_run) == {"all": 1, **drawn, "total": 15}
    assert job_counts(packed) == {"crate": 1, "readme": 1, "pack_crate": 2, **drawn, "total": 18}
    assert "results/published/gpu/figures/fig_feedforward_curves.pdf" in dry_run.stdout


def test_all_that_is_published_is_drawn_where_training_is_impossible(root: Path, without_training, tmp_path: Path):
    """In one process, to be fast. test_smoke.py draws some of them as jobs of the workflow.

    Each committed .csv must come out the same to the byte, so that no change of code changes a published number.
    """
    program = f"""
import sys
from pathlib import Path
from paper_figures import registry
from paper_figures.publish import readme_blocks
for folder in Path("results/published").glob("*/"):
    committed = {{path: path.read_bytes() for path in folder.rglob("*.csv")}}
    assert committed, folder
    for name in registry.names():
        module = registry.module(name)
        made = module.make(folder)
        assert made, name
        path = (folder / module.OUTPUT).with_suffix(".csv")
        assert committed.pop(path, made.get(".csv")) == made.get(".csv"), f"{{path}} is another one when made again"
    assert not committed, f"nothing makes {{list(committed)}}"
assert readme_blocks.main(["--check"]) == 0
try:
    import torch
except RuntimeError as error:
    Path({str(tmp_path / "refused")!r}).write_text(str(error))
"""
    subprocess.run([sys.executable, "-c", program], cwd=root, env=os.environ | without_training, check=True)
    assert (tmp_path / "refused").read_text() == "torch must not be needed here", "nothing was refused at all"


def test_the_report_names_runs_that_the_papers_preset_makes(snakemake, tmp_path: Path):
    """For an empty folder the report names the target of every claim's run: a dry run accepts all of them."""
    judged = judge(read_claims(), []).fillna({"why": ""}).assign(verdict="missing")
    rows = [row for part in missing_runs(judged, [], tmp_path).values() for row in part]
    commands = [shlex.split(row["command"]) for row in rows]
    assert all(command[:3] == ["snakemake", "--configfile", "config/paper.yaml"] for command in commands)
    targets = {target for command in commands for target in command[3:]}
    assert len(targets) > 150
    counts = job_counts(snakemake("--dry-run", "--configfile", "config/paper.yaml", "--", *sorted(targets)))
    assert counts["train_recurrent"] == len({t for t in targets if t.startswith("results/paper/recurrent/")})


def test_a_new_experiment_needs_no_change_of_other_files(snakemake, checkout: Path):
    """One folder, one workflow file and one figure file are all that it is."""

    def renamed(text: str) -> str:
        """The text of unlock, in which the experiment, its field and its one figure are called otherwise."""
        text = text.replace("fig_complete_unlock", "fig_novel").replace('"fig_sparse_updates", ', "")
        return (
            text.replace("impls.experiments.unlock", "impls.experiments.novel")
            .replace('"unlock"', '"novel"')
            .replace("unlock:", "novel:")
            .replace("self.unlock", "self.novel")
        )

    def copied(source: str, target: str) -> Path:
        (checkout / target).parent.mkdir(exist_ok=True)
        (checkout / target).write_text(renamed((checkout / source).read_text()).replace("UNLOCK", "NOVEL"))
        return checkout / target

    preset = yaml.safe_load((checkout / "config/smoke.yaml").read_text())
    rest = {key: value for key, value in preset.items() if key not in experiments()}
    text = renamed(yaml.safe_dump(rest | {"preset": "novel", "unlock": preset["unlock"]}))
    (checkout / "config/novel.yaml").write_text(text)
    folder = sorted(path.name for path in (checkout / "impls/experiments/unlock").glob("*.py"))
    added = [
        *(copied(f"impls/experiments/unlock/{name}", f"impls/experiments/novel/{name}") for name in folder),
        copied("workflows/unlock.smk", "workflows/novel.smk"),
        copied("paper_figures/artifacts/fig_complete_unlock.py", "paper_figures/artifacts/fig_novel.py"),
    ]
    try:
        dry_run = snakemake("novel", "--dry-run", "--configfile", "config/novel.yaml")
    finally:
        for path in added:
            path.unlink()
        (checkout / "impls/experiments/novel").rmdir()
    assert job_counts(dry_run) == {"prepare_data": 1, "train_novel": 2, "draw_figure": 1, "novel": 1, "total": 5}
    assert "python -m impls train novel --framework torch" in dry_run.stdout
    assert "--replicas 4" in dry_run.stdout


def test_linters_find_nothing(snakemake, checkout: Path):
    assert "good condition" in snakemake("--lint").stderr
    formatted = [sys.executable, "-m", "snakefmt", "--check", "Snakefile", "workflows"]
    subprocess.run(formatted, cwd=checkout, check=True, capture_output=True)
