"""A training that reaches its time limit does not count as done, and the same command goes on."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.slow("runs Snakemake")
PRESET = """\
preset: limited
data: embedded
device: cpu
frameworks: [jax]
replicas: 1
feedforward:
  - cells: {dataset: [mnist], model: [fcn], depth: [3], method: [bprop]}
    settings: {hidden_units: 16, batch_size: 16, iterations: 300, evaluate_every: 150}
"""
FOLDER = "results/limited/feedforward/dataset~mnist/model~fcn/depth~3/method~bprop/jax"
LOG = "results/limited/logs/feedforward/dataset~mnist/model~fcn/depth~3/method~bprop/jax.log"


def test_the_same_command_goes_on_after_a_time_limit(checkout, snakemake):
    (checkout / "limited.yaml").write_text(PRESET)
    target = f"{FOLDER}/run.json"
    found = snakemake(target, "--configfile", "limited.yaml", "--config", "max_minutes=1e-6", fails=True)
    assert "1 of 2 jobs are done, 1 stopped before their end. The same command goes on with the rest." in found.stderr
    assert "FAILED" not in found.stderr
    assert (checkout / FOLDER / "checkpoint.npz").exists()
    retried = ("--configfile", "limited.yaml", "--config", "max_minutes=1e-6", "--retries", "20")
    snakemake(target, *retried)
    record = json.loads((checkout / target).read_text())
    assert record["status"] == "complete"
    assert record["sessions"] == 6, "a launch of 50 iterations in each"
    log = (checkout / LOG).read_text()
    assert log.count("partial at iteration") == 5 and log.count("complete at iteration") == 1, "the log of all attempts"
