"""Reading results: what is refused, with which message. Also makes the synthetic results that other tests draw."""

import itertools
import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from impls.errors import UserError
from paper_figures import artifacts
from paper_figures.__main__ import main
from paper_figures.files import write_together
from paper_figures.runs import CURVE_COLUMNS, ROOT, read_runs

METHODS = ("no_bprop", "bprop", "dni", "cdni")
FINAL = {"no_bprop": 4.5, "bprop": 1.9, "dni": 2.2, "cdni": 2.0, "stale": 4.2}  # percent, at three layers
STAND_INS = {
    "mnist": "stand-in: scikit-learn's 8x8 digits enlarged to 28x28 (1500 train, 297 test)",
    "cifar10": "stand-in: ten procedural classes of 32x32 colour images (2000 train, 500 test)",
}


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
    *,
    experiment="feedforward",
    dataset="mnist",
    model="fcn",
    cell=None,
    metrics=None,
    replica_settings=None,
):
    """Writes one run, with smooth and noisy curves; returns its folder.

    Args:
        final: percent of test error at the end; a list gives every replica's. By default made up from the cell.
        diverged: the first so many replicas diverge after a third of the run.
        cell: the cell's fields after the method, in the order of the path, such as {"cut_after": 1}.
        metrics: further curves, {(split, metric): values}: `values` is what they end at (a number, or one per replica),
            or a function of (replica, iteration) that returns the value. ("test", "error") in it replaces that curve.
        replica_settings: {name: one value per seed}; left out of the record where it is None, as in older records.
    """
    cell = {"dataset": dataset, "model": model, "depth": depth, "method": method, **(cell or {})}
    reached = iterations if reached is None else reached
    every = evaluate_every or max(1, iterations // 100)
    evaluated = np.array(sorted({*range(0, reached + 1, every), reached}))
    rng = np.random.default_rng([*"/".join(f"{value}" for value in cell.values()).encode(), len(framework)])
    if final is None:
        final = FINAL[method] * (1 + 0.35 * (depth - 3) * (method in ("no_bprop", "dni", "stale")))
        final = [final * rng.uniform(0.96, 1.04) for _ in seeds]
    metrics = {("test", "error"): final, **(metrics or {})}

    def curve(values, replica):
        if callable(values):
            return np.array([values(replica, int(iteration)) for iteration in evaluated], dtype=float)
        goal = values[replica] if isinstance(values, list | tuple) else values
        started = goal + 88 * np.exp(-5 * (evaluated / (0.3 * reached)) ** 0.4)
        noisy = np.minimum(started * rng.uniform(0.97, 1.03, len(evaluated)), 90.0)
        return np.where(evaluated < reached, noisy, goal)

    parts = []
    for replica, seed in enumerate(seeds):
        points = {place: curve(values, replica) for place, values in metrics.items()}
        points.setdefault(("test", "loss"), points["test", "error"] / 30)
        for (split, metric), values in points.items():
            if replica < diverged:
                values = np.where(evaluated > reached // 3, math.nan, values)
            part = {"replica": replica, "seed": seed, "iteration": evaluated, "split": split, "metric": metric}
            parts.append(pd.DataFrame({**part, "value": values}))
    description = STAND_INS[dataset] if source == "stand-in" else "the original files"
    files = {"train-images-idx3-ubyte.gz": "0" * 64}
    return write_files(
        results,
        framework,
        experiment,
        cell,
        pd.concat(parts, ignore_index=True),
        spec={**cell, "iterations": iterations},
        seeds=list(seeds),
        preset=preset,
        status="complete" if reached == iterations else "partial",
        iteration_reached=reached,
        iterations=iterations,
        diverged_seeds=list(seeds[:diverged]),
        differs_from_paper=list(differs),
        changed_choices=list(choices),
        data=[{"name": dataset, "source": source, "description": description, "files": files}],
        **({} if replica_settings is None else {"replica_settings": replica_settings}),
    )


def write_files(results, framework, experiment, cell, frame, **record):
    """Writes the two files of a run from its curves and what its record holds besides the usual; returns its folder."""
    folder = results / experiment / "/".join(f"{name}~{value}" for name, value in cell.items()) / framework
    folder.mkdir(parents=True)
    frame[CURVE_COLUMNS].astype({"replica": "int32"}).to_parquet(folder / "curves.parquet", index=False)
    usual = {
        "schema_version": 1,
        "experiment": experiment,
        "cell": cell,
        "framework": framework,
        "code": {"git_commit": None, "git_dirty": None, "source_sha256": "1" * 64, "sources": ["impls/x.py"]},
        "versions": {"python": "3.11.7", "numpy": "2.4.6", framework: "2.13.0"},
        "device": {"kind": "cpu", "name": "AMD EPYC", "threads": 2},
        "precision": "fp32",
        "command": f"python -m impls train {experiment}",
        "started_at": "2026-01-01T00:00:00+00:00",
        "finished_at": "2026-01-01T01:00:00+00:00",
        "wall_seconds": 1.0,
        "compile_seconds": 1.0,
        "evaluation_seconds": 1.0,
        "model_steps_per_second": 100.0,
        "peak_memory_bytes": 1,
        "sessions": 1,
    }
    (folder / "run.json").write_text(json.dumps({**usual, **record}))
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


def assert_nothing_overlaps(figure):
    """No text of the figure lies on another one or runs over its edge."""
    figure.draw_without_rendering()
    inside = [[*axes.get_children(), axes.xaxis.label, axes.yaxis.label] for axes in figure.axes]  # and the titles
    texts = [text for texts in inside for text in texts if isinstance(text, Text) and text.get_text()]
    texts = [text for text in [*texts, *figure.texts, *figure.legends] if text.get_visible()]
    boxes = [(text, text.get_window_extent()) for text in texts]
    for text, box in boxes:
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text
    for (one, box), (other, other_box) in itertools.combinations(boxes, 2):
        width = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
        height = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
        # A text's box is as high as its tallest letter could be: half a line of it is air.
        assert width <= 0 or height <= 0.5 * min(box.height, other_box.height), (one, other)


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
    with pytest.raises(UserError, match=r"nowhere: no such folder.*results/quick"):
        read_runs(tmp_path / "nowhere", "feedforward")
    write_run(tmp_path / "cpu-2-cores", iterations=100)
    with pytest.raises(UserError, match=r"did you mean --results .*cpu-2-cores"):
        read_runs(tmp_path, "feedforward")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["table_feedfoward", "--results", "."], "did you mean 'table_feedforward'?"),
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
    assert all(name in listed for name in ("claims", "table_feedforward", "text_deep", "fig_sparse_updates"))
    assert main(["sources", "fig_feedforward_curves"]) == 0
    sources = capsys.readouterr().out.split()
    assert {
        "paper_figures/drawing/style.py",
        "paper_figures/claims/claims.csv",
        "paper_figures/claims/statistics.py",
    } <= set(sources)
    assert "paper_figures/artifacts/table_feedforward.py" not in sources
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
    names = ("claims", "table_feedforward", "text_stale_gradients", "fig_feedforward_curves", "fig_sparse_updates")
    names += ("table_rnn", "fig_copy_progress", "report")
    program = f"""
import sys
from paper_figures.__main__ import main
codes = [main([name, "--results", {str(tmp_path)!r}]) for name in {names}]
unwanted = {{"torch", "jax"}} & {{name.split(".")[0] for name in sys.modules}}
sys.exit(f"codes {{codes}}, imported {{unwanted}}" if any(codes) or unwanted else 0)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=ROOT, check=True, capture_output=True)
    for name in names:
        module = artifacts.module(name)
        for suffix, content in module.make(tmp_path).items():
            assert (tmp_path / module.OUTPUT).with_suffix(suffix).read_bytes() == content, (name, suffix)
