"""Reading results: what is refused, with which message. Also makes the synthetic results that other tests draw."""

import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from paper_figures import artifacts
from paper_figures.__main__ import main
from paper_figures.errors import FigureError
from paper_figures.files import write_together
from paper_figures.runs import CURVE_COLUMNS, ROOT, read_runs

METHODS = ("no_bprop", "bprop", "dni", "cdni")
FINAL = {"no_bprop": 4.5, "bprop": 1.9, "dni": 2.2, "cdni": 2.0}  # percent, at three layers


def write_run(
    results,
    framework="torch",
    depth=4,
    method="dni",
    final=None,
    seeds=(0, 1, 2),
    iterations=500_000,
    reached=None,
    evaluate_every=None,
    diverged=0,
    source="original",
    differs=(),
    choices=(),
    preset="paper",
):
    """Writes one run with smooth, noisy curves that end at `final` percent; a list gives every replica's last value."""
    cell = {"dataset": "mnist", "model": "fcn", "depth": depth, "method": method}
    folder = results / "feedforward" / "/".join(f"{name}~{value}" for name, value in cell.items()) / framework
    folder.mkdir(parents=True)
    reached = iterations if reached is None else reached
    every = evaluate_every or max(1, iterations // 100)
    evaluated = sorted({*range(0, reached + 1, every), reached})
    rng = np.random.default_rng([depth, METHODS.index(method), len(framework)])
    last = FINAL[method] * (1 + 0.35 * (depth - 3) * (method in ("no_bprop", "dni"))) if final is None else final
    rows = []
    for replica, seed in enumerate(seeds):
        goal = last[replica] if isinstance(last, (list, tuple)) else last * rng.uniform(0.96, 1.04)
        for iteration in evaluated:
            value = goal + 88 * math.exp(-5 * (iteration / (0.3 * reached)) ** 0.4) * (iteration < reached)
            value *= rng.uniform(0.97, 1.03) if iteration < reached else 1
            if replica < diverged and iteration > reached // 3:
                value = math.nan
            rows.append([replica, seed, iteration, "test", "error", min(value, 90.0)])
            rows.append([replica, seed, iteration, "test", "loss", value / 30])
    frame = pd.DataFrame(rows, columns=CURVE_COLUMNS).astype({"replica": "int32"})
    frame.to_parquet(folder / "curves.parquet", index=False)
    stand_in = "stand-in: scikit-learn's 8x8 digits enlarged to 28x28 (1500 train, 297 test)"
    record = {
        "schema_version": 1,
        "experiment": "feedforward",
        "cell": cell,
        "framework": framework,
        "preset": preset,
        "spec": {**cell, "iterations": iterations},
        "seeds": list(seeds),
        "status": "complete" if reached == iterations else "partial",
        "iteration_reached": reached,
        "iterations": iterations,
        "diverged_seeds": list(seeds[:diverged]),
        "differs_from_paper": list(differs),
        "changed_choices": list(choices),
        "data": [
            {
                "name": "mnist",
                "source": source,
                "description": stand_in if source == "stand-in" else "the original files",
                "files": {"train-images-idx3-ubyte.gz": "0" * 64},
            }
        ],
        "code": {"git_commit": None, "git_dirty": None, "source_sha256": "1" * 64, "sources": ["impls/x.py"]},
        "versions": {"python": "3.11.7", "numpy": "2.4.6", framework: "2.13.0"},
        "device": {"kind": "cpu", "name": "AMD EPYC", "threads": 2},
        "precision": "fp32",
        "command": "python -m impls train feedforward",
        "started_at": "2026-01-01T00:00:00+00:00",
        "finished_at": "2026-01-01T01:00:00+00:00",
        "wall_seconds": 1.0,
        "compile_seconds": 1.0,
        "evaluation_seconds": 1.0,
        "model_steps_per_second": 100.0,
        "peak_memory_bytes": 1,
        "sessions": 1,
    }
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def write_quick(results, frameworks=("torch", "jax")):
    """All 16 cells as the quick preset makes them: stand-in data, 64 hidden units, 2000 iterations."""
    for framework in frameworks:
        for method in METHODS:
            for depth in (3, 4, 5, 6):
                write_run(
                    results,
                    framework,
                    depth,
                    method,
                    iterations=2000,
                    source="stand-in",
                    differs=["hidden_units = 64 (paper: 256)"],
                    preset="quick",
                )


def write_published(results):
    """As a CPU's published runs: depth 4 alone, original data, 25,000 of the paper's 500,000 iterations, dni once."""
    for framework in ("torch", "jax"):
        for method in METHODS:
            seeds = (0,) if method == "dni" else (0, 1, 2)
            write_run(results, framework, 4, method, seeds=seeds, iterations=25_000, evaluate_every=1000)


def edit_record(folder, **changes):
    record = json.loads((folder / "run.json").read_text())
    for name, value in changes.items():
        record.pop(name) if value is None else record.update({name: value})
    (folder / "run.json").write_text(json.dumps(record))


def edit_curves(folder, change):
    change(pd.read_parquet(folder / "curves.parquet")).to_parquet(folder / "curves.parquet")


DAMAGE = {
    "cut record": (lambda run: (run / "run.json").write_text('{"schema_version'), "run.json", "not a JSON file"),
    "no status": (lambda run: edit_record(run, status=None), "run.json", "'status' is a required property"),
    "odd status": (lambda run: edit_record(run, status="done"), "run.json", "status: 'done'"),
    "odd schema": (lambda run: edit_record(run, schema_version=99), "run.json", "schema_version"),
    "another cell": (lambda run: edit_record(run, framework="jax"), "run.json", "another folder"),
    "no curves": (lambda run: (run / "curves.parquet").unlink(), "curves.parquet", "missing"),
    "no parquet": (lambda run: (run / "curves.parquet").write_bytes(b"PAR1 cut"), "curves.parquet", "not a readable"),
    "no column": (lambda run: edit_curves(run, lambda x: x.drop(columns="seed")), "curves.parquet", "no column seed"),
    "other seeds": (lambda run: edit_record(run, seeds=[0, 1, 7]), "curves.parquet", "seeds"),
    "same seeds": (lambda run: edit_record(run, seeds=[0, 0, 1]), "curves.parquet", "seeds"),
    "twice": (lambda run: edit_curves(run, lambda x: pd.concat([x, x.head(1)])), "curves.parquet", "point twice"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_run_is_one_clear_error(tmp_path, capsys, case):
    damage, file, words = DAMAGE[case]
    run = write_run(tmp_path, iterations=100)
    damage(run)
    assert main(["claims", "--results", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: {run / file}: ") and message.count("\n") == 1
    assert words in message and "again" in message
    assert not (tmp_path / "claims.csv").exists()


def test_a_record_of_the_interface_is_accepted(tmp_path):
    """The synthetic records pass the repository's own schema, so the tests draw what training writes."""
    write_run(tmp_path, iterations=100)
    assert len(read_runs(tmp_path, "feedforward")) == 1


def test_a_wrong_folder_is_named(tmp_path):
    with pytest.raises(FigureError, match=r"nowhere: no such folder.*results/quick"):
        read_runs(tmp_path / "nowhere", "feedforward")
    write_run(tmp_path / "cpu-2-cores", iterations=100)
    with pytest.raises(FigureError, match=r"did you mean --results .*cpu-2-cores"):
        read_runs(tmp_path, "feedforward")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["table_feedfoward", "--results", "."], "did you mean table_feedforward?"),
        (["claims"], "--results results/quick"),
        (["claims", "extra", "--results", "."], "'extra'"),
        (["claims", "--results", ".", "--output", "claims.pdf"], "claims makes .csv"),
        (["sources"], "needs a name"),
    ],
)
def test_wrong_commands_say_what_to_do(capsys, arguments, words):
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ") and words in message


def test_list_and_sources(capsys):
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in ("claims", "table_feedforward", "fig_feedforward_curves"))
    assert main(["sources", "fig_feedforward_curves"]) == 0
    sources = capsys.readouterr().out.split()
    assert {"paper_figures/style.py", "paper_figures/claims.csv", "paper_figures/statistics.py"} <= set(sources)
    assert "paper_figures/table_feedforward.py" not in sources
    assert all((ROOT / source).is_file() for source in sources)


def test_files_are_whole_or_old(tmp_path, monkeypatch):
    old, new = tmp_path / "a.csv", tmp_path / "b.csv"
    old.write_bytes(b"old")

    def fails(*_):
        raise OSError("disk full")

    monkeypatch.setattr("paper_figures.files.os.replace", fails)
    with pytest.raises(OSError, match="disk full"):
        write_together({old: b"new", new: b"new"})
    assert old.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_drawing_needs_no_framework_and_gives_the_same_bytes_in_another_process(tmp_path):
    """Another process has another hash seed, and shows which modules were imported."""
    write_run(tmp_path, "torch", iterations=1000)
    write_run(tmp_path, "jax", iterations=1000, diverged=1)
    names = ("claims", "table_feedforward", "fig_feedforward_curves")
    program = f"""
import sys
from paper_figures.__main__ import main
codes = [main([name, "--results", {str(tmp_path)!r}]) for name in {names}]
unwanted = {{"torch", "jax", "impls"}} & {{name.split(".")[0] for name in sys.modules}}
sys.exit(f"codes {{codes}}, imported {{unwanted}}" if any(codes) or unwanted else 0)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=ROOT, check=True, capture_output=True)
    for name in names:
        module = artifacts.module(name)
        for suffix, content in module.make(tmp_path).items():
            assert (tmp_path / module.OUTPUT).with_suffix(suffix).read_bytes() == content, (name, suffix)
