"""The workflow on a real Slurm cluster, in which a job is cancelled and a node is lost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from impls.engine.record import read_record
from impls.presets import cells, load_preset, result_directory, train_command
from tests.chaos.stops import same_results
from tests.support.slurm_cluster import cluster, lose_node, output_of, wait_until, why_not

pytestmark = [
    pytest.mark.slow("starts a cluster"),
    pytest.mark.xdist_group("slurm"),
    pytest.mark.skipif(why_not() is not None, reason=f"no Slurm: {why_not()}"),
]
PRESET = """\
preset: slurm
data: embedded
device: cpu
frameworks: [torch, jax]
replicas: 1
checkpoint_minutes: 0
feedforward:
  - cells: {dataset: [mnist], model: [fcn], depth: [3], method: [cdni]}
    settings: {hidden_units: 16, synthetic_gradient_units: 16, batch_size: 16, iterations: 6000, evaluate_every: 3000}
"""
PROFILE = ("--workflow-profile", "profiles/slurm")
# The plugin's waits are made for clusters that others use too.
SOON = ("--seconds-between-status-checks", "2", "--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "5")
SMALL = ("--set-resources", "train_feedforward:mem_mb=2000")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with cluster() as folder:
        yield folder


@pytest.fixture(scope="module")
def preset(checkout: Path) -> Path:
    file = checkout / "slurm.yaml"
    file.write_text(PRESET)
    return file


def command(preset: Path, *arguments: str) -> subprocess.Popen:
    """Start `snakemake ARGUMENTS` with the profile."""
    words = [sys.executable, "-m", "snakemake", *arguments, *PROFILE, *SOON, *SMALL, "--configfile", preset.name]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(preset.parent)}
    return subprocess.Popen(
        words, cwd=preset.parent, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def begun(folders: dict[str, Path], left: set[str]) -> str | None:
    """A training among those left that has written a checkpoint."""
    return next((framework for framework in left if (folders[framework] / "checkpoint.npz").exists()), None)


def running_job(framework: str) -> tuple[str, str] | None:
    """(job id, node) of the running training in a framework."""
    lines = output_of("squeue", "-h", "-t", "running", "-o", "%i %N %k").splitlines()
    return next(((line.split()[0], line.split()[1]) for line in lines if line.rstrip().endswith(framework)), None)


def test_a_training_on_a_gpu_requests_one(place, preset):  # first, as long as the node with the GPU is there
    target = "results/slurm/feedforward/dataset~mnist/model~fcn/depth~3/method~cdni/torch/run.json"
    workflow = command(
        preset, target.replace("slurm", "gpu"), "--config", "device=cuda", "preset=gpu", "--retries", "0"
    )
    try:
        output, _ = workflow.communicate(timeout=200)
    finally:
        workflow.kill()
    assert workflow.returncode != 0
    assert "finds no GPU" in output, output[-4000:]  # the GPU of the node is none
    job = max(re.findall(r"^JobId=(\d+)", output_of("scontrol", "show", "job"), re.MULTILINE), key=int)
    assert re.search(r"(Tres\w+|TRES)=.*gres:?/?gpu[:=]1\b", output_of("scontrol", "show", "job", job))


def test_cancelled_jobs_and_lost_nodes_change_no_result(place, preset, tmp_path):
    loaded = load_preset(preset)
    (cell,) = cells(loaded, "feedforward")
    folders = {f: preset.parent / result_directory(loaded, "feedforward", cell, f) for f in loaded.frameworks}
    targets = [str((folder / "run.json").relative_to(preset.parent)) for folder in folders.values()]
    workflow = command(preset, *targets)
    try:
        left = set(folders)
        while left:
            wait_until(lambda: begun(folders, left) or workflow.poll() is not None, 150, f"checkpoints of {left}")
            framework = begun(folders, left) or pytest.fail(f"no checkpoint of {left}: {workflow.communicate()[0]}")
            job, node = running_job(framework) or pytest.fail(f"{framework} has ended too soon")
            if framework == "torch":
                subprocess.run(["scancel", job], check=True)
            else:
                lose_node(place, node, job)
            left.remove(framework)
        output, _ = workflow.communicate(timeout=300)
    finally:
        workflow.kill()
    assert workflow.returncode == 0, output[-4000:]
    log = preset.parent / targets[0].replace("results/slurm/", "results/slurm/logs/").replace("/run.json", ".log")
    assert "stopped at iteration" in log.read_text(), "the signal did not reach the training, which is told to save"
    for framework, folder in folders.items():
        record = read_record(folder / "run.json")
        assert (record.status, record.sessions > 1) == ("complete", True), f"{framework}: {record.sessions} sessions"
        whole = tmp_path / framework
        words = train_command(loaded, "feedforward", cell, framework, whole).split()[1:]
        subprocess.run([sys.executable, *words, "--threads", "1"], check=True, cwd=preset.parent, capture_output=True)
        same_results(folder, whole)


def test_without_a_device_it_says_what_is_missing(place, preset):
    output, _ = command(preset, "feedforward", "--config", "device=auto").communicate(timeout=100)
    assert "Say which device they use: --config device=cuda or --config device=cpu" in output, output[-4000:]
