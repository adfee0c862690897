"""Real campaigns of tiny cells: stopped, killed, failing in part, and resumed."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from impls.campaign.device import Device
from impls.campaign.job_list import Job, load_campaign
from impls.campaign.schedule import make_plan
from impls.campaign.supervisor import Supervisor
from impls.campaign.time_estimates import Rates
from impls.cli import main
from impls.engine.options import Options
from impls.engine.record import read_record
from impls.engine.train import train
from impls.errors import UserError
from impls.registry import FRAMEWORKS

pytestmark = pytest.mark.slow("runs campaigns, which start a process for every training")

ROOT = Path(__file__).resolve().parents[4]
ITERATIONS = 1500


def listed(tmp_path: Path, stages: list[dict]) -> Path:
    path = tmp_path / "list.yaml"
    general = {"preset": "tiny", "data": "embedded", "device": "cpu", "frameworks": list(FRAMEWORKS), "replicas": 2}
    path.write_text(yaml.safe_dump(general | {"stages": stages}))
    return path


def stage(title: str, depth: int = 2, iterations: int = 100, more: dict | None = None, **keys) -> dict:
    settings = {"hidden_units": 8, "batch_size": 8, "iterations": iterations, "evaluate_every": iterations // 2}
    cells = {"dataset": ["mnist"], "model": ["fcn"], "depth": [depth], "method": ["bprop"]}
    return {"title": title, "feedforward": [{"cells": cells, "settings": settings | (more or {})}]} | keys


def command(path: Path, *arguments: str) -> list[str]:
    words = ["campaign", "--configfile", str(path), "--threads", "1", "--jobs", "2"]
    return [*words, "--budget-minutes", "5", "--checkpoint-minutes", "0", *arguments]


def wait_until(reached: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.005)


def trainings(out: Path) -> list[int]:
    """Process numbers, from the status file."""
    return [entry["process"] for entry in json.loads((out / "status.json").read_text())["running"]]


def is_alive(process: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def killed(path: Path, out: Path, *arguments: str) -> list[int]:
    """Kill a campaign at its first checkpoint; returns the processes of its trainings, which are not asked."""
    words = [sys.executable, "-m", "impls", *command(path, "--out", str(out), *arguments)]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL)
    wait_until(lambda: any(out.glob("**/checkpoint.npz")) and (out / "status.json").exists())
    children = trainings(out)
    process.kill()
    process.wait()
    return children


def kill(processes: list[int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def test_killed_and_resumed_gives_the_same_bits_and_nothing_runs_twice(tmp_path, capsys):
    path, out = listed(tmp_path, [stage("only", iterations=ITERATIONS)]), tmp_path / "out"
    jobs = load_campaign(path)
    kill(killed(path, out))
    assert main(command(path, "--resume", str(out))) == 0
    assert "2 of 2 runs of the list done" in capsys.readouterr().out
    for job in jobs:
        record = read_record(out / job.name / "run.json")
        assert (record.status, record.preset) == ("complete", "tiny")
        assert record.command.startswith("python -m impls train feedforward --framework")
        whole = Options(framework=job.framework, replicas=2, threads=1, device="cpu", output=tmp_path / job.framework)
        train("feedforward", job.spec, whole)
        curves = [pd.read_parquet(folder / "curves.parquet") for folder in (out / job.name, tmp_path / job.framework)]
        pd.testing.assert_frame_equal(*curves, check_exact=True)
    assert max(read_record(out / job.name / "run.json").sessions for job in jobs) >= 2, "killed before it had begun"

    times = [(out / job.name / "run.json").stat().st_mtime_ns for job in jobs]
    assert main(command(path, "--resume", str(out))) == 0
    assert "0 of 2 runs to do" in capsys.readouterr().out
    assert times == [(out / job.name / "run.json").stat().st_mtime_ns for job in jobs]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_trainings_without_their_campaign_stop_at_a_checkpoint(tmp_path):
    path, out = listed(tmp_path, [stage("long", iterations=10_000_000)]), tmp_path / "out"
    children = killed(path, out, "--framework", "torch")
    assert len(children) == 1
    try:
        wait_until(lambda: not any(map(is_alive, children)))
    finally:
        kill(children)
    record = read_record(out / load_campaign(path)[0].name / "run.json")
    assert (record.status, record.sessions) == ("partial", 1)


def test_a_cell_that_fails_stops_no_other(tmp_path, capsys):
    """A run with more replicas replaces the smaller one of its cell."""
    too_many = {"validation_examples": 100_000}
    stages = [stage("fails", depth=3, more=too_many), stage("small"), stage("large", replicas=3)]
    path, out = listed(tmp_path, stages), tmp_path / "out"
    arguments = ["--out", str(out), "--framework", "torch", "--pack", str(tmp_path / "a.tar.gz")]
    assert main(command(path, *arguments)) == 1
    output = capsys.readouterr().out
    failed, small, large = load_campaign(path)[::2]
    assert f"failed: {failed.label}; log: {out}/logs/{failed.folder}.log" in output
    assert "    error: validation_examples must be below 1500" in output
    assert "2 of 3 runs of the list done" in output
    status = json.loads((out / "status.json").read_text())
    assert [entry["run"] for entry in status["failed"]] == [failed.folder]
    assert status["running"] == []
    assert (small.name, read_record(out / small.name / "run.json").seeds) == (large.name, [0, 1, 2])
    assert not (out / large.folder / "run.json").exists()
    assert (tmp_path / "a.tar.gz").is_file()


@pytest.mark.parametrize("damage", ["checkpoint.npz", "run.json"])
def test_a_damaged_file_ends_no_other_cell(tmp_path, capsys, damage):
    path, out = listed(tmp_path, [stage("damaged", depth=3), stage("whole")]), tmp_path / "out"
    damaged, whole = load_campaign(path)[::2]
    (out / damaged.folder).mkdir(parents=True)
    (out / damaged.folder / damage).write_bytes(b"")
    arguments = ["--resume", str(out), "--framework", "torch"]
    assert main(command(path, *arguments, "--dry-run")) == 0
    assert f"damaged  {damaged.listed_name}" in capsys.readouterr().out
    assert main(command(path, *arguments)) == 1
    output = capsys.readouterr().out
    assert f"failed: {damaged.label}" in output and damage in output
    assert read_record(out / whole.name / "run.json").status == "complete"


def test_a_status_that_cannot_be_written_ends_nothing(tmp_path, capsys, monkeypatch):
    def full(*_arguments):
        raise UserError("cannot write status.json: No space left on device")

    monkeypatch.setattr("impls.campaign.progress_report.write_atomically", full)
    path, out = listed(tmp_path, [stage("only")]), tmp_path / "out"
    assert main(command(path, "--out", str(out), "--framework", "torch")) == 0
    assert capsys.readouterr().out.count("No space left on device") == 1


def test_a_checkpoint_from_the_future_is_read(tmp_path):
    jobs = load_campaign(listed(tmp_path, [stage("long", iterations=1_000_000, pause_at=3000)]))[:1]
    path = tmp_path / "out" / jobs[0].folder / "checkpoint.npz"

    def tick(_supervisor: Supervisor) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.utime(path, (2_000_000_000, 2_000_000_000))

    supervisor = supervised(jobs, tmp_path / "out", never, tick=tick)
    assert [outcome.state for outcome in supervisor.outcomes] == ["paused"]
    assert supervisor.outcomes[0].iteration < 100_000


def supervised(jobs: list[Job], out: Path, deadline: Callable[[], float], **options) -> Supervisor:
    rates = Rates(Device("cpu", "a processor", None), 1, "fp32")
    supervisor = Supervisor(
        make_plan(jobs, out),
        out,
        None,
        rates,
        **({"at_once": 1, "checkpoint_minutes": 0, "deadline": deadline, "tick": lambda supervisor: None} | options),
    )
    supervisor.run()
    return supervisor


def never() -> float:
    return time.monotonic() + 600


def test_the_end_of_the_budget_leaves_a_checkpoint_and_starts_nothing_more(tmp_path):
    jobs = load_campaign(listed(tmp_path, [stage("long", iterations=1_000_000), stage("next", depth=3)]))[::2]
    first = tmp_path / "out" / jobs[0].folder

    def deadline() -> float:
        return time.monotonic() + 2 if (first / "checkpoint.npz").exists() else never()

    supervisor = supervised(jobs, tmp_path / "out", deadline)
    assert [(outcome.job, outcome.state, outcome.text) for outcome in supervisor.outcomes] == [(jobs[0], "partial", "")]
    assert [entry.job for entry in supervisor.waiting] == [jobs[1]]
    record = read_record(first / "run.json")
    assert (record.status, record.iteration_reached) == ("partial", supervisor.outcomes[0].iteration)
    assert (first / "checkpoint.npz").exists()


def test_what_cannot_stop_is_killed_when_the_time_is_over(tmp_path):
    jobs = load_campaign(listed(tmp_path, [stage("long", iterations=1_000_000)]))[:1]
    calls = itertools.count()
    # Its process has started and does not train yet.
    supervisor = supervised(jobs, tmp_path, lambda: never() if next(calls) < 8 else time.monotonic() - 1)
    assert [outcome.state for outcome in supervisor.outcomes] == ["partial"]
    assert not supervisor.running


def test_a_pause_is_an_interim_result_and_the_next_stage_goes_on_from_it(tmp_path):
    stages = [stage("interim", iterations=5000, pause_at=500), stage("on", iterations=5000)]
    jobs = load_campaign(listed(tmp_path, stages))[::2]
    out = tmp_path / "out"
    supervisor = supervised(jobs[:1], out, never)
    assert [outcome.state for outcome in supervisor.outcomes] == ["paused"]
    record = read_record(out / jobs[0].name / "run.json")
    assert record.status == "partial"
    assert 500 <= record.iteration_reached < 5000
    entries = make_plan(jobs, out)
    assert [(e.state.status, e.iterations) for e in entries] == [
        ("paused", 0),
        ("partial", 5000 - record.iteration_reached),
    ]
