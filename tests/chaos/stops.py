"""Trainings, campaigns and workflows that are stopped at random moments, or find the disk full, and go on."""

from __future__ import annotations

import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from impls.engine.files import read_arrays
from tests.chaos.outcomes import must

ROOT = Path(__file__).resolve().parents[2]
TRAIN = shlex.split(
    "train feedforward --depth 3 --method cdni --hidden-units 16 --synthetic-gradient-units 16 --batch-size 16 "
    "--learning-rate 1e-3 --iterations 1000 --evaluate-every 500 --replicas 2 --device cpu --threads 1 "
    "--checkpoint-minutes 0"
)
PRESET = {
    "preset": "chaos",
    "data": "embedded",
    "device": "cpu",
    "replicas": 2,
    "feedforward": [
        {
            "cells": {"dataset": ["mnist"], "model": ["fcn"], "depth": [3], "method": ["cdni"]},
            "settings": {"hidden_units": 16, "batch_size": 16, "iterations": 1000, "evaluate_every": 500},
        }
    ],
}
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
SECONDS = 120  # after which a command counts as hanging


def train_words(framework: str, out: Path) -> list[str]:
    """The command line of the training that is attacked."""
    return [sys.executable, "-m", "impls", *TRAIN, "--framework", framework, "--output", str(out), "--resume"]


@cache
def whole_run(framework: str, place: Path) -> Path:
    """The folder of the same training, not stopped."""
    out = place / f"whole-{framework}"
    subprocess.run(train_words(framework, out), cwd=ROOT, check=True, capture_output=True)
    return out


def same_results(found: Path, expected: Path) -> None:
    """Compare curves and parameters bit for bit."""
    curves = [pd.read_parquet(folder / "curves.parquet") for folder in (found, expected)]
    must(curves[0].equals(curves[1]), f"{found}: other curves")
    arrays = [read_arrays(folder / "parameters.npz")[0] for folder in (found, expected)]
    must(arrays[0].keys() == arrays[1].keys(), f"{found}: other parameters")
    for name, value in arrays[0].items():
        must(np.array_equal(value, arrays[1][name], equal_nan=True), f"{found}: {name} differs")


def stopped(words: list[str], log: Path, seconds: float, number: int, **options: object) -> int:
    """Run a command, send it a signal after some seconds; returns its exit code."""
    with open(log, "ab") as file:
        process = subprocess.Popen(words, stdout=file, stderr=file, start_new_session=True, **options)  # type: ignore[call-overload]
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, number) if number == signal.SIGKILL else process.send_signal(number)
        try:
            return process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            must(False, f"signal {number} after {seconds:.1f} s did not end it: {log}")
            raise


def no_traceback(log: Path) -> None:
    """The messages of a command are messages, not the report of a defect."""
    must("Traceback" not in log.read_text(errors="replace"), f"a traceback in {log}")


def stop_training(rng: random.Random, place: Path, folder: Path) -> None:
    """Up to three stops at random moments; then the training ends with the bits of one without a stop."""
    framework = rng.choice(("torch", "jax"))
    out, log = folder / "run", folder / "log"
    for _ in range(rng.randint(1, 3)):
        number = rng.choice(STOPS)
        code = stopped(train_words(framework, out), log, rng.uniform(0.5, 12), number, cwd=ROOT)
        must(code in (0, 130, -number), f"exit code {code} after signal {number}: {log}")
    must(stopped(train_words(framework, out), log, SECONDS, signal.SIGKILL, cwd=ROOT) == 0, f"not resumed: {log}")
    no_traceback(log)
    same_results(out, whole_run(framework, place))
    left = {path.name for path in out.iterdir()} - {".lock", "curves.parquet", "parameters.npz", "run.json"}
    must(not left, f"{out}: {left} is left")


def fill_the_disk(rng: random.Random, place: Path, folder: Path) -> None:
    """No file may grow beyond a random size: the training ends with a message, and goes on when there is room."""
    framework, most = rng.choice(("torch", "jax")), rng.randint(0, 200)  # kibibytes
    out, log = folder / "run", folder / "log"
    environment = os.environ | {"DNI_CACHE_DIR": str(folder / "cache"), "JAX_ENABLE_COMPILATION_CACHE": "false"}
    with open(folder / "limited", "wb") as file:
        # By the shell: a function that Python calls before `exec` needs a fork, which JAX warns of.
        limited = ["bash", "-c", 'trap "" XFSZ; ulimit -f "$0"; exec "$@"', str(most), *train_words(framework, out)]
        pipe = subprocess.run(limited, cwd=ROOT, env=environment, capture_output=True)
        file.write(pipe.stderr)
    must(pipe.returncode in (0, 2), f"exit code {pipe.returncode} with files of up to {most} KiB: {folder}")
    must(b"Traceback" not in pipe.stderr, f"a traceback in {folder}/limited")
    must(pipe.returncode == 0 or b"error: cannot write" in pipe.stderr, f"no message in {folder}/limited")
    must(stopped(train_words(framework, out), log, SECONDS, signal.SIGKILL, cwd=ROOT) == 0, f"not resumed: {log}")
    same_results(out, whole_run(framework, place))


def stop_campaign(rng: random.Random, place: Path, folder: Path) -> None:
    """A campaign of one cell in both frameworks: stopped, resumed, and the same bits as if it had not been."""
    path, out, log = folder / "list.yaml", folder / "out", folder / "log"
    general = {key: PRESET[key] for key in ("data", "device", "replicas")} | {"frameworks": ["torch", "jax"]}
    stage = {"title": "only", "feedforward": PRESET["feedforward"]}
    path.write_text(yaml.safe_dump({"preset": "chaos", **general, "stages": [stage]}))
    words = [sys.executable, "-m", "impls", "campaign", "--configfile", str(path), "--threads", "1", "--jobs", "2"]
    words += ["--budget-minutes", "5", "--checkpoint-minutes", "0", "--resume", str(out)]
    out.mkdir()
    for _ in range(rng.randint(1, 2)):
        number = rng.choice(STOPS)
        code = stopped(words, log, rng.uniform(1, 20), number, cwd=ROOT)
        must(code in (0, 130, -number), f"exit code {code} after signal {number}: {log}")
        time.sleep(3 if number == signal.SIGKILL else 0)  # trainings stop by themselves when the campaign has gone
    must(stopped(words, log, SECONDS, signal.SIGKILL, cwd=ROOT) == 0, f"not resumed: {log}")
    no_traceback(log)
    cell = "feedforward/dataset~mnist/model~fcn/depth~3/method~cdni"
    for framework in ("torch", "jax"):
        same_results(out / cell / framework, whole_cell(framework, place))


@cache
def whole_cell(framework: str, place: Path) -> Path:
    """The folder of the campaign's cell, trained alone."""
    out, block = place / f"cell-{framework}", PRESET["feedforward"][0]
    settings = {**{name: values[0] for name, values in block["cells"].items()}, **block["settings"]}
    words = [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    words += ["--framework", framework, "--replicas", "2", "--threads", "1", "--device", "cpu", "--output", str(out)]
    subprocess.run(
        [sys.executable, "-m", "impls", "train", "feedforward", *words], cwd=ROOT, check=True, capture_output=True
    )
    return out


def stop_workflow(rng: random.Random, place: Path, folder: Path) -> None:
    """Snakemake in a copy of the repository, stopped with all its jobs: the same command goes on."""
    framework = rng.choice(("torch", "jax"))
    copy, log = folder / "copy", folder / "log"
    hidden = shutil.ignore_patterns(".git", ".venv", ".snakemake", "results", "tests", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, copy, ignore=hidden)
    (copy / "chaos.yaml").write_text(yaml.safe_dump(PRESET | {"frameworks": [framework]}))
    cell = f"results/chaos/feedforward/dataset~mnist/model~fcn/depth~3/method~cdni/{framework}"
    words = [sys.executable, "-m", "snakemake", f"{cell}/run.json", "--configfile", "chaos.yaml"]
    number = rng.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
    stopped(words, log, rng.uniform(2, 25), number, cwd=copy)
    code = stopped(words, log, 2 * SECONDS, signal.SIGKILL, cwd=copy)
    must(code == 0, f"exit code {code} of the second call after signal {number}: {log}")
    same_results(copy / cell, whole_cell(framework, place))
