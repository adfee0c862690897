"""Reading results: what is refused, with which message."""

import subprocess
import sys

import pandas as pd
import pytest

from impls.errors import UserError
from impls.experiments.unlock.spec import Spec as Unlock
from impls.presets import cells, load_preset
from impls.registry import spec_class
from paper_figures import registry
from paper_figures.cli import main
from paper_figures.files import write_together
from paper_figures.runs import ROOT, read_runs
from tests.support.runs_on_disk import edit_curves, edit_record, write_run

DAMAGE = {
    "cut record": (lambda run: (run / "run.json").write_text('{"schema_version'), "run.json", "Invalid JSON"),
    "no status": (lambda run: edit_record(run, status=None), "run.json", "status: Field required"),
    "odd status": (lambda run: edit_record(run, status="done"), "run.json", "(given: 'done')"),
    "odd schema": (lambda run: edit_record(run, schema_version=99), "run.json", "schema_version"),
    "number as text": (
        lambda run: edit_record(run, iterations="100"),
        "run.json",
        "iterations: Input should be a valid",
    ),
    "unknown key": (lambda run: edit_record(run, surprise=1), "run.json", "surprise: Extra inputs are not permitted"),
    "another cell": (lambda run: edit_record(run, framework="jax"), "run.json", "a different folder"),
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


@pytest.mark.slow("makes eight artifacts twice, once in another process")
def test_drawing_in_another_process_gives_the_same_bytes(tmp_path):
    """It imports no framework either. Another process has another hash seed, and shows which modules were imported."""
    write_run(tmp_path, "torch", iterations=1000)
    write_run(tmp_path, "jax", iterations=1000, diverged=1)
    names = ("claims", "table_feedforward", "text_stale_gradients", "fig_feedforward_curves", "fig_sparse_updates")
    names += ("table_rnn", "fig_copy_progress", "report")
    program = f"""
import sys
from paper_figures.cli import main
codes = [main([name, "--results", {str(tmp_path)!r}]) for name in {names}]
unwanted = {{"torch", "jax"}} & {{name.split(".")[0] for name in sys.modules}}
sys.exit(f"codes {{codes}}, imported {{unwanted}}" if any(codes) or unwanted else 0)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=ROOT, check=True, capture_output=True)
    for name in names:
        module = registry.module(name)
        for suffix, content in module.make(tmp_path).items():
            assert (tmp_path / module.OUTPUT).with_suffix(suffix).read_bytes() == content, (name, suffix)


def test_an_old_run_is_judged_by_todays_defaults(tmp_path, monkeypatch):
    """It computed with the value that a field had before it existed, whatever the default has become since."""
    folder = write_run(tmp_path, method="cdni", experiment="unlock", cell={"unlock": "sparse"})
    spec = Unlock(method="cdni", batch_size=32).model_dump(mode="json")
    del spec["unvisited"]
    edit_record(folder, spec=spec)
    (run,) = read_runs(tmp_path, "unlock")
    assert run.record.spec == spec | {"unvisited": "frozen"}
    assert run.record.differs_from_paper == ["batch_size = 32 (paper: 256)"]
    assert run.record.changed_choices == ["unvisited = frozen (default: zero_gradient)"]
    monkeypatch.setattr(Unlock.model_fields["unvisited"], "default", "frozen")
    (run,) = read_runs(tmp_path, "unlock")
    assert run.record.changed_choices == []
    edit_record(folder, spec=spec | {"a_field_of_old": 1})
    (run,) = read_runs(tmp_path, "unlock")
    assert run.record.spec == spec | {"a_field_of_old": 1} and run.record.changed_choices == []
    edit_record(folder, spec=spec | {"learning_rate": -1})
    with pytest.raises(UserError, match=r"run\.json: spec\.learning_rate: .* greater than 0 \(given: -1\)"):
        read_runs(tmp_path, "unlock")


def test_a_figure_is_drawn_where_a_cell_of_its_own_has_a_run():
    """The fields may be those of a preset or parts of a path."""
    cnn = {"dataset": "cifar10", "model": "cnn", "depth": 3, "method": "dni"}
    assert registry.shows_any("fig_underfitting", [{**cnn, "dataset": "mnist"}, cnn])
    assert not registry.shows_any("fig_underfitting", [{**cnn, "method": "no_bprop"}, {**cnn, "model": "fcn"}])
    fcn = {"dataset": "mnist", "model": "fcn", "depth": "4", "method": "dni"}
    assert registry.shows_any("fig_feedforward_curves", [fcn])
    assert not registry.shows_any("fig_feedforward_curves", [{**fcn, "depth": "21"}])


@pytest.mark.parametrize("name", [name for name in registry.names() if name.startswith("fig_")])
def test_every_figure_shows_cells_that_its_experiment_has(name):
    module = registry.module(name)
    fields = spec_class(module.EXPERIMENT).cell_fields
    assert set(module.SHOWN) <= set(fields), name
    preset = load_preset(ROOT / "config/paper.yaml")
    assert registry.shows_any(name, cells(preset, module.EXPERIMENT))
