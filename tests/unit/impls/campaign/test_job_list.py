"""Campaigns: which cells are listed in which order, what is refused in which words, how long a plan takes."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from impls.campaign import time_estimates
from impls.campaign.command import campaign
from impls.campaign.device import Device, find_device, jobs_and_threads
from impls.campaign.job_list import Job, load_campaign, select
from impls.campaign.job_state import state_of
from impls.campaign.options import CampaignOptions
from impls.campaign.schedule import START_SECONDS, describe, make_plan
from impls.campaign.time_estimates import Rates
from impls.cli import main
from impls.durations import duration
from impls.engine.memory import estimated_bytes
from impls.engine.options import Options
from impls.engine.record import read_record
from impls.engine.run_folder import CHECKPOINT, RECORD, read_checkpoint
from impls.engine.train import train
from impls.errors import UserError
from impls.presets import cells, load_preset, train_command
from tests.support.campaign_lists import VALID

PROCESSOR = Device("cpu", "a processor", 8e9)


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    content = copy.deepcopy(VALID)
    change(content)
    return content


def jobs_of(change: Callable[[dict[str, Any]], Any] = lambda c: None) -> list[Job]:
    return load_campaign(changed(change))


def test_the_shipped_list_has_every_paper_cell_and_the_table_first(root: Path):
    jobs = load_campaign(root / "config/campaign.yaml")
    paper = load_preset(root / "config/paper.yaml")
    names = {job.name.rsplit("/", 1)[0] for job in jobs}
    for experiment in set(paper.experiments) - {"small_copy"}:
        for cell in cells(paper, experiment):
            assert Job(jobs[0].stage, paper, experiment, cell, "jax", False).name.rsplit("/", 1)[0] in names
    assert [job.framework for job in jobs[:4]] == ["torch", "jax", "torch", "jax"]
    table = [job for job in jobs if "mnist/model~fcn" in job.name and job.experiment == "feedforward"]
    assert table[:32] == jobs[:32]
    assert sum(job.replicas == 20 and job.grows for job in jobs) == 32
    assert {job.replicas for job in jobs if job.experiment == "unlock"} == {100}
    assert [job.replicas for job in jobs if "dataset~ptb" in job.name] == [1] * 34 + [3] * 34
    assert all(job.preset.data == "original" for job in jobs)


def test_jobs_come_in_the_order_of_the_file_and_larger_ones_train_apart():
    jobs = jobs_of()
    assert [(job.spec.depth, job.framework, job.replicas) for job in jobs[:4]] == [
        (3, "torch", 2),
        (3, "jax", 2),
        (4, "torch", 2),
        (4, "jax", 2),
    ]
    assert jobs[0].folder == jobs[0].name == "feedforward/dataset~mnist/model~fcn/depth~3/method~bprop/torch"
    assert jobs[4].folder == f"growing/x3/{jobs[0].name}"
    assert jobs[4].seeds == [0, 1, 2]


def test_a_stage_that_pauses_is_gone_on_with_in_the_same_folder():
    def change(content):
        content["stages"][0]["pause_at"] = 50
        content["stages"][1].pop("replicas")

    jobs = jobs_of(change)
    assert [(job.folder, job.last_iteration) for job in jobs[::4]] == [(jobs[0].name, 50), (jobs[0].name, 100)]
    entries = make_plan(jobs, Path("nothing/there"))
    assert [(entry.first, entry.iterations) for entry in entries[::4]] == [(0, 50), (50, 50)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(replica=3), "campaign: unknown key 'replica'; did you mean 'replicas'?"),
        (lambda c: c.update(stages=[]), "campaign: stages: must be a list of stages"),
        (lambda c: c.update(data="orignal"), "campaign: data: Input should be 'embedded' or 'original'"),
        (lambda c: c["stages"][1].update(feedfoward=[]), "stages[1]: unknown key 'feedfoward'; did you mean 'feedforw"),
        (lambda c: c["stages"][0].pop("title"), "stages[0]: title: Field required"),
        (lambda c: c["stages"][0].pop("feedforward"), "stages[0]: has no experiment"),
        (lambda c: c["stages"][0].update(replicas=0), "stages[0]: replicas: Input should be greater than 0"),
        (
            lambda c: c["stages"][0]["feedforward"][0]["settings"].update(iteration=1),
            "stages[0]: feedforward[0].settings: unknown key 'iteration'; did you mean 'iterations'?",
        ),
        (
            lambda c: c["stages"][1].pop("replicas"),
            "is already in stage 'first'; repeat it only with more replicas",
        ),
        (lambda c: c["stages"][1]["feedforward"][0].pop("settings"), "its settings differ from stage 'first'"),
        (lambda c: c["stages"][0].update(pause_at=100), "pause_at must be below its 100 iterations"),
    ],
)
def test_a_wrong_list_is_refused_with_what_to_change(change, message):
    with pytest.raises(UserError) as error:
        jobs_of(change)
    assert message in str(error.value)


def test_only_and_framework_select():
    jobs = jobs_of()
    assert {job.spec.depth for job in select(jobs, None, ["mnist/*/depth~4"])} == {4}
    assert {job.framework for job in select(jobs, "jax", [])} == {"jax"}
    assert {job.replicas for job in select(jobs, None, ["torch/x2", "jax/x2"])} == {2}
    with pytest.raises(UserError, match=r"--only depth~9: no cell .*names:\n  feedforward/dataset~mnist"):
        select(jobs, None, ["depth~3", "depth~9"])


def test_the_plan_says_operations_times_and_where_the_budget_ends(monkeypatch):
    jobs = jobs_of(lambda c: c["stages"].pop())[:3]
    rates = Rates(PROCESSOR, 1, "fp32")
    operations = 100 * 2 * jobs[0].spec.operations_per_step()
    rates.learn(jobs[0], 100, 3000.0)  # torch is estimated by the method; about jax nothing is known
    monkeypatch.setitem(time_estimates.GUESSED, "cpu", operations / 1200.0)
    # Two at once: 10 seconds to start and 3000; 10 and 1200; the third job after the second.
    lines = list(describe(make_plan(jobs, Path("nothing/there")), rates, 2, budget_minutes=60))
    rows = [line.split() for line in lines if "depth~" in line]
    third = START_SECONDS + 3000.0 * jobs[2].spec.operations_per_step() / jobs[0].spec.operations_per_step()
    ends = [3000 + START_SECONDS, 1200 + START_SECONDS, 1200 + START_SECONDS + third]
    assert [" ".join(row[3:5]) for row in rows] == [duration(s / 60) for s in (ends[0], ends[1], third)]
    assert [" ".join(row[5:7]) for row in rows] == [duration(s / 60) for s in ends]
    assert [row[7] for row in rows] == ["cell", "guess", "method"]
    assert float(rows[0][2]) == pytest.approx(operations, rel=0.06)
    assert lines.index("== the 60 minutes end about here") == len(lines) - 2


def test_the_nearest_measurement_counts_and_only_those_of_this_device(tmp_path):
    jobs = jobs_of()
    here = Options(framework="torch", replicas=2, threads=1, device="cpu", output=tmp_path / "run")
    record = train("feedforward", jobs[0].spec, here)
    device = Device("cpu", str(record.device["name"]), None)
    rates = Rates(device, 1, "fp32")
    rates.read_records([tmp_path])
    seconds = 200 / record.model_steps_per_second + record.evaluation_seconds
    assert rates.seconds(jobs[0], 100) == pytest.approx(seconds)
    assert [rates.rate(job).basis for job in (jobs[0], jobs[2])] == ["cell", "method"]
    # Of its method only a small net was measured, of its model a large one. A small net says little about a large one.
    larger = jobs_of(lambda c: [s["feedforward"][0]["settings"].update(hidden_units=800) for s in c["stages"]])[2]
    assert rates.rate(larger).basis == "method"
    large = load_campaign(Path(__file__).parents[4] / "config/campaign.yaml")[0]
    rates.learn(large, 100, 5.0)
    assert rates.rate(larger).basis == "data set"
    for other in (Rates(Device("cpu", "another", None), 1, "fp32"), Rates(device, 2, "fp32"), Rates(device, 1, "fp64")):
        other.read_records([tmp_path])
        assert other.measured == {}
        assert other.rate(jobs[0]).basis == ("guess" if other.precision == "fp64" else "elsewhere")


def test_a_gpu_is_found_without_a_framework_and_shared(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA Test, 80000'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    preset = jobs_of(lambda c: c.update(device="auto"))[0].preset
    device = find_device(preset)
    assert device == Device("cuda", "NVIDIA Test", 80000 * 2**20)
    monkeypatch.setattr("impls.campaign.device.usable_cpus", lambda: 16)
    assert jobs_and_threads(device, None, None) == (2, 8)
    assert jobs_and_threads(PROCESSOR, None, None) == (16, 1)
    assert jobs_and_threads(PROCESSOR, None, 4) == (4, 4)
    assert jobs_and_threads(PROCESSOR, 8, None) == (8, 2)
    small, large = load_campaign(Path(__file__).parents[4] / "config/campaign.yaml")[0], jobs_of()[0]
    assert estimated_bytes(small.spec, small.replicas) > estimated_bytes(large.spec, large.replicas) > 1e9


def test_how_far_a_job_is_and_whether_its_checkpoint_can_be_used(tmp_path, monkeypatch):
    small, _, _, _, more, *_ = jobs_of()
    data = None
    assert state_of(small, tmp_path, data).status == "missing"

    def run(job: Job, **options: Any) -> None:
        train(
            "feedforward",
            job.spec,
            Options(
                **{
                    "framework": "torch",
                    "replicas": job.replicas,
                    "threads": 1,
                    "output": tmp_path / job.folder,
                    **options,
                }
            ),
        )

    run(small, max_minutes=1e-6)
    partial = state_of(small, tmp_path, data)
    assert partial.status == "partial"
    assert partial.iteration == read_checkpoint(tmp_path / small.folder / CHECKPOINT).iteration > 0
    # Every part of a checkpoint's identity is compared, under the name that `train` gives it.
    monkeypatch.setattr("impls.campaign.job_state.sources_sha256", lambda sources: "edited")
    assert state_of(small, tmp_path, {"mnist": {}}).differs == ("data", "source code")
    monkeypatch.undo()
    assert set(read_checkpoint(tmp_path / small.folder / CHECKPOINT).identity) == {
        "spec",
        "seeds",
        "framework",
        "precision",
        "data",
        "source code",
    }

    run(small, resume=True)
    assert state_of(small, tmp_path, data)[:3] == ("complete", 100, ())
    assert state_of(more, tmp_path, data).status == "missing", "the smaller result is not in its way"
    slower = jobs_of(lambda c: [s["feedforward"][0]["settings"].update(learning_rate=1e-3) for s in c["stages"]])[0]
    assert state_of(slower, tmp_path, data).differs == ("spec",)

    run(more, max_minutes=1e-6)
    assert state_of(more, tmp_path, data).status == "partial"
    assert read_record(tmp_path / small.name / RECORD).seeds == [0, 1], "stays until the larger one is complete"
    run(more, resume=True)
    assert state_of(more, tmp_path, data).status == "complete"
    assert read_record(tmp_path / small.name / RECORD).seeds == [0, 1, 2]
    assert state_of(small, tmp_path, data).status == "complete", "more replicas than needed are allowed"


def listed(tmp_path: Path) -> Path:
    path = tmp_path / "list.yaml"
    path.write_text(yaml.safe_dump(VALID))
    return path


def test_other_code_is_told_before_anything_is_lost(tmp_path, monkeypatch, capsys):
    job = jobs_of()[0]
    out = tmp_path / "out"
    train("feedforward", job.spec, Options(framework="torch", replicas=2, output=out / job.folder, max_minutes=1e-6))
    before = (out / job.folder / CHECKPOINT).read_bytes()
    monkeypatch.setattr("impls.campaign.job_state.sources_sha256", lambda sources: "edited")
    monkeypatch.setattr("impls.campaign.command.Supervisor.run", lambda self: None)
    options = {"configfile": listed(tmp_path), "resume": out, "framework": "torch", "only": ("depth~3",)}
    with pytest.raises(UserError, match=r"differs in source code\nNothing was changed\. --changed keep"):
        campaign(CampaignOptions(**options, budget_minutes=1))
    assert campaign(CampaignOptions(**options, dry_run=True)) == 0
    assert "differs in source code" in capsys.readouterr().out
    assert campaign(CampaignOptions(**options, budget_minutes=1, changed="keep")) == 0
    assert (out / job.folder / CHECKPOINT).read_bytes() == before
    assert campaign(CampaignOptions(**options, budget_minutes=1, changed="restart")) == 0
    assert not (out / job.folder / CHECKPOINT).exists()
    assert [path.read_bytes() for path in out.glob(f"set-aside/*/{job.folder}/{CHECKPOINT}")] == [before]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "{tmp}/new"], "give --budget-minutes to train, --dry-run for the plan"),
        (["--out", "{tmp}", "--budget-minutes", "1"], "already holds a campaign: continue it with --resume"),
        (["--out", "{tmp}/x", "--resume", "{tmp}", "--budget-minutes", "1"], "is resumed in its own folder"),
        (["--out", "{tmp}/x", "--resume", "{tmp}/no.tar.gz", "--budget-minutes", "1"], "there is no file"),
        (["--budget-minutes", "0"], "--budget-minutes: Input should be greater than 0"),
        (["--out", "{tmp}/x", "--dry-run", "--only", "depth~7"], "no cell of the campaign has this in its name"),
    ],
)
def test_mistakes_on_the_command_line_are_one_message(tmp_path, capsys, arguments, message):
    path = listed(tmp_path)
    arguments = [part.format(tmp=tmp_path) for part in arguments]
    assert main(["campaign", "--configfile", str(path), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_command_of_a_job_names_its_own_folder():
    job = jobs_of()[4]
    command = train_command(job.preset, job.experiment, job.cell, job.framework, output=Path("there"))
    assert command.endswith("--output there")
    assert "--replicas 3" in command


def test_the_process_of_a_campaign_takes_no_gpu_and_needs_no_workflow():
    """No framework is imported, and nothing that only drawing, Snakemake or the stand-ins need."""
    code = "import sys, impls.cli, impls.campaign.command; print(*{name.split('.')[0] for name in sys.modules})"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    unwanted = {"torch", "jax", "snakemake", "matplotlib", "sklearn", "statsmodels", "jsonschema", "requests"}
    assert "pydantic" in output.split()
    assert not unwanted & set(output.split())
