"""A run that is stopped, killed, started twice, or finds the disk full loses nothing and writes nothing wrong."""

from __future__ import annotations

import errno
import importlib
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from impls.engine import files
from impls.engine.evaluate import evaluate
from impls.engine.options import Options
from impls.engine.record import read_record
from impls.engine.train import train
from impls.errors import UserError
from impls.experiments.feedforward.spec import Spec
from impls.registry import FRAMEWORKS

ROOT = Path(__file__).resolve().parents[4]
TINY = {"depth": 3, "method": "dni", "hidden_units": 16, "synthetic_gradient_units": 16, "batch_size": 32}
ITERATIONS = 1500
WEIGHT = "parameters.layer1.weight"


def command(framework: str, output: Path, *more: str) -> list[str]:
    spec = [part for name, value in TINY.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    run = ["--framework", framework, "--replicas", "2", "--threads", "1", "--output", str(output)]
    sizes = ["--iterations", str(ITERATIONS), "--evaluate-every", "500", "--checkpoint-minutes", "0"]
    return [sys.executable, "-m", "impls", "train", "feedforward", *spec, *sizes, *run, *more]


def messages(output: Path) -> Path:
    return output.with_suffix(".log")


def start(framework: str, output: Path, *more: str) -> subprocess.Popen:
    with open(messages(output), "w") as log:
        return subprocess.Popen(command(framework, output, *more), cwd=ROOT, stderr=log)


def wait_for_a_new_checkpoint(process: subprocess.Popen, output: Path) -> None:
    path = output / "checkpoint.npz"
    before = path.stat().st_mtime_ns if path.exists() else 0
    while process.poll() is None and not (path.exists() and path.stat().st_mtime_ns != before):
        time.sleep(0.005)


def results(output: Path) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    return pd.read_parquet(output / "curves.parquet"), files.read_arrays(output / "parameters.npz")[0]


def assert_same_results(a: Path, b: Path) -> None:
    (curves_a, parameters_a), (curves_b, parameters_b) = results(a), results(b)
    pd.testing.assert_frame_equal(curves_a, curves_b, check_exact=True)
    for name, value in parameters_a.items():
        np.testing.assert_array_equal(value, parameters_b[name], err_msg=name)


@pytest.mark.slow("starts a training up to fourteen times")
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_killed_at_random_moments_and_resumed_gives_the_same_bits(framework, tmp_path):
    subprocess.run(command(framework, tmp_path / "whole"), cwd=ROOT, check=True, capture_output=True)
    moments = random.Random()  # not seeded: a kill must be safe at any moment, and every test run tries others
    kills = 0
    for _ in range(12):
        process = start(framework, tmp_path / "killed", "--resume")
        wait_for_a_new_checkpoint(process, tmp_path / "killed")
        delay = moments.uniform(0, 0.25)
        time.sleep(delay)
        if kills < 3:
            process.kill()
        kills += process.wait() == -signal.SIGKILL
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, messages(tmp_path / "killed").read_text()
    assert process.returncode == 0
    assert kills >= 2, "the run ended before it could be killed: make it longer"
    assert read_record(tmp_path / "killed" / "run.json").sessions >= 2
    assert_same_results(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.slow("starts a training twice")
def test_ctrl_c_leaves_a_partial_run_that_goes_on(tmp_path):
    process = start("torch", tmp_path / "run")
    wait_for_a_new_checkpoint(process, tmp_path / "run")
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130, messages(tmp_path / "run").read_text()
    assert "--resume continues from there" in messages(tmp_path / "run").read_text()
    record = read_record(tmp_path / "run" / "run.json")
    assert record.status == "partial"
    assert 0 < record.iteration_reached < ITERATIONS
    assert pd.read_parquet(tmp_path / "run" / "curves.parquet").iteration.max() <= record.iteration_reached


def small_spec(**changes) -> Spec:
    return Spec(**(TINY | {"iterations": 100, "evaluate_every": 50} | changes))


def small_options(output: Path, **changes) -> Options:
    return Options(**({"framework": "torch", "replicas": 2, "threads": 1, "output": output} | changes))


def test_max_minutes_stops_at_a_checkpoint_and_resume_completes(tmp_path):
    whole = train("feedforward", small_spec(), small_options(tmp_path / "whole"))
    partial = train("feedforward", small_spec(), small_options(tmp_path / "cut", max_minutes=1e-6))
    assert (whole.status, partial.status) == ("complete", "partial")
    assert partial.iteration_reached < 100
    rest = train("feedforward", small_spec(), small_options(tmp_path / "cut", resume=True))
    assert (rest.status, rest.sessions) == ("complete", 2)
    assert not (tmp_path / "cut" / "checkpoint.npz").exists()
    assert_same_results(tmp_path / "whole", tmp_path / "cut")


def test_resuming_a_finished_run_does_nothing_unless_it_is_another(tmp_path, capsys):
    first = train("feedforward", small_spec(), small_options(tmp_path))
    assert train("feedforward", small_spec(), small_options(tmp_path, resume=True)) == first
    assert "nothing to do" in capsys.readouterr().err
    other = train("feedforward", small_spec(learning_rate=1e-3), small_options(tmp_path, resume=True))
    assert other.spec["learning_rate"] == 1e-3


def test_a_checkpoint_of_another_run_is_not_resumed(tmp_path, capsys):
    train("feedforward", small_spec(), small_options(tmp_path, max_minutes=1e-6))
    record = train("feedforward", small_spec(learning_rate=1e-3), small_options(tmp_path, resume=True, first_seed=4))
    assert "differs in spec, seeds" in capsys.readouterr().err
    assert (record.sessions, record.seeds) == (1, [4, 5])


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_gpu_that_is_not_there_is_a_clear_message(tmp_path, framework):
    if importlib.import_module(f"impls.engine.{framework}_engine").default_device() == "cuda":
        pytest.skip("this machine has a GPU")
    with pytest.raises(UserError, match=rf"{framework} finds no GPU.*--device cpu"):
        train("feedforward", small_spec(), small_options(tmp_path, framework=framework, device="cuda"))


def test_two_processes_on_one_cell(tmp_path):
    with files.exclusive(tmp_path), pytest.raises(UserError, match="another process is training"):
        train("feedforward", small_spec(), small_options(tmp_path))
    assert not (tmp_path / "run.json").exists()
    assert train("feedforward", small_spec(), small_options(tmp_path)).status == "complete"


def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.npz"
    files.write_arrays(path, {"a": np.arange(3)}, {"iteration": 1})

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"No space left on device.*--resume"):
        files.write_arrays(path, {"a": np.arange(4)}, {"iteration": 2})
    monkeypatch.undo()
    arrays, meta = files.read_arrays(path)
    assert (len(arrays["a"]), meta) == (3, {"iteration": 1})
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.npz"]


@pytest.mark.parametrize("damage", ["cut", "noise", "pickle"])
def test_a_damaged_checkpoint_is_named_and_nothing_in_it_runs(tmp_path, damage):
    path = tmp_path / "checkpoint.npz"
    files.write_arrays(path, {"a": np.arange(1000)}, {})
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "noise":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    else:
        np.savez(path, a=np.array([object()], dtype=object))
    with pytest.raises(UserError, match=r"checkpoint\.npz is damaged.*Delete it to train from the start"):
        train("feedforward", small_spec(), small_options(tmp_path, resume=True))


def rewritten(path: Path, change) -> None:
    """Change the arrays and the description of a checkpoint, as a program that is wrong might."""
    arrays, meta = files.read_arrays(path)
    change(arrays, meta)
    files.write_arrays(path, arrays, meta)


CHANGES = {
    "an array of another shape": lambda arrays, _: arrays.update({WEIGHT: arrays[WEIGHT][:1]}),
    "an array of another type": lambda arrays, _: arrays.update({WEIGHT: arrays[WEIGHT].astype(np.float64)}),
    "no array": lambda arrays, _: arrays.pop(WEIGHT),
    "one more array": lambda arrays, _: arrays.update({"parameters.other": np.zeros(2)}),
    "no progress": lambda _, meta: meta.pop("progress"),
    "other progress": lambda _, meta: meta["progress"].update(sessions_=1),
    "no labels": lambda _, meta: meta.pop("curve_labels"),
    "too few labels": lambda _, meta: meta["curve_labels"].pop(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_that_does_not_fit_is_named(tmp_path, change):
    train("feedforward", small_spec(), small_options(tmp_path, max_minutes=1e-6))
    rewritten(tmp_path / "checkpoint.npz", CHANGES[change])
    with pytest.raises(UserError, match=r"checkpoint\.npz is damaged"):
        train("feedforward", small_spec(), small_options(tmp_path, resume=True))


def test_a_compressed_checkpoint_is_not_unpacked(tmp_path):
    """It might unpack to more than the memory."""
    np.savez_compressed(tmp_path / "checkpoint.npz", a=np.zeros(10_000_000))
    with pytest.raises(UserError, match="is compressed"):
        train("feedforward", small_spec(), small_options(tmp_path, resume=True))


@pytest.mark.parametrize("name", ["curves.parquet", "parameters.npz"])
@pytest.mark.parametrize("damage", ["flipped", "missing"])
def test_a_result_that_is_not_that_of_its_record_is_made_again(tmp_path, name, damage, capsys):
    train("feedforward", small_spec(), small_options(tmp_path))
    whole = (tmp_path / name).read_bytes()
    if damage == "missing":
        (tmp_path / name).unlink()
    else:
        content = bytearray(whole)
        content[len(content) // 2] ^= 1
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} is (missing|not the file that run.json names)"):
        evaluate(tmp_path)
    assert train("feedforward", small_spec(), small_options(tmp_path, resume=True)).status == "complete"
    assert "trained again" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == whole


def test_a_run_that_is_resumed_in_another_way_says_so(tmp_path, capsys, monkeypatch):
    train("feedforward", small_spec(), small_options(tmp_path, max_minutes=1e-6))
    monkeypatch.setattr("impls.engine.train.cpu_name", lambda: "another processor")
    record = train("feedforward", small_spec(), small_options(tmp_path, resume=True))
    assert "differ in rounding" in capsys.readouterr().err
    (change,) = record.changes
    assert change.startswith("from iteration 50: name another processor, before ")
    again = train("feedforward", small_spec(), small_options(tmp_path / "whole"))
    assert (again.changes, again.execution) == ([], "plain")


def test_what_a_killed_write_leaves_is_replaced_and_removed(tmp_path):
    left = tmp_path / ".checkpoint.npz.tmp"
    left.write_bytes(b"half a checkpoint")
    train("feedforward", small_spec(), small_options(tmp_path, checkpoint_minutes=0))
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "curves.parquet", "parameters.npz", "run.json"]


@pytest.mark.slow("starts a training")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_leaves_a_checkpoint(tmp_path, number):
    process = start("torch", tmp_path / "run")
    wait_for_a_new_checkpoint(process, tmp_path / "run")
    process.send_signal(number)
    assert process.wait() == 130, messages(tmp_path / "run").read_text()
    assert read_record(tmp_path / "run" / "run.json").status == "partial"


@pytest.mark.slow("starts a training")
def test_a_training_whose_reader_has_gone_ends_as_usual(tmp_path):
    words = command("torch", tmp_path / "run", "--iterations", "300")
    piped = subprocess.run(["bash", "-c", f"set -o pipefail; {shlex.join(words)} 2>&1 | head -c 20"], cwd=ROOT)
    assert piped.returncode == 0
    assert read_record(tmp_path / "run" / "run.json").status == "complete"


def test_a_diverged_replica_is_kept_and_named(tmp_path):
    spec = small_spec(method="bprop", learning_rate=1e30)
    record = train("feedforward", spec, small_options(tmp_path))
    assert record.status == "complete"
    assert record.diverged_seeds == [0, 1]
    curves = pd.read_parquet(tmp_path / "curves.parquet")
    assert curves[curves.iteration == 0].value.notna().all()
    assert curves[curves.iteration == 100].value.isna().all()
