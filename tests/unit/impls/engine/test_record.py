"""The run record, what a spec says differs from the paper, the sources of a job, and the command line."""

from __future__ import annotations

import json
import subprocess
import sys

import jsonschema
import numpy as np
import pytest
from scipy import stats

from impls.cli import main
from impls.data import load
from impls.engine.options import Options, cell_folder
from impls.engine.record import SCHEMA_FILE, read_record, schema_text
from impls.engine.train import train
from impls.errors import UserError
from impls.experiments.feedforward.spec import Spec
from impls.experiments.two_network.spec import Spec as TwoNetwork
from impls.sources import sources_sha256, training_sources


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    spec = Spec(method="cdni", depth=3, hidden_units=8, batch_size=16, iterations=20, evaluate_every=10)
    return folder, train("feedforward", spec, Options(framework="torch", replicas=2, threads=1, output=folder))


def test_the_schema_in_the_repository_is_the_records_own():
    assert SCHEMA_FILE.read_text() == schema_text(), "write record.schema_text() to the schema file"


def test_a_written_record_fits_the_schema_and_says_what_ran(run):
    folder, record = run
    stored = json.loads((folder / "run.json").read_text())
    jsonschema.validate(stored, json.loads(SCHEMA_FILE.read_text()))
    assert read_record(folder / "run.json") == record
    assert stored["cell"] == {"dataset": "mnist", "model": "fcn", "depth": 3, "method": "cdni"}
    assert stored["data"][0]["source"] == "stand-in"
    assert stored["differs_from_paper"] == ["hidden_units = 8 (paper: 256)", "batch_size = 16 (paper: 256)"]
    assert stored["code"]["source_sha256"] == sources_sha256(training_sources("feedforward", "torch"))
    assert stored["model_steps_per_second"] > 0


def test_facts_of_spec_and_data_stand_in_the_record(run, tmp_path):
    assert run[1].facts == {}
    spec = TwoNetwork.tiny(method="dni", period=3, iterations=1)
    train("two_network", spec, Options(framework="torch", replicas=1, threads=1, output=tmp_path))
    labels = load("mnist", "embedded").splits["test"].labels
    chances = stats.binom.pmf(range(10), 9, np.mean(labels == 3))
    assert json.loads((tmp_path / "run.json").read_text())["facts"] == {
        "digits_per_iteration": 54,
        "updates_of_a_per_iteration": 3,
        "updates_of_b_per_iteration": 1,
        "constant_guess_error_a": pytest.approx(100 - 100 * 3 * np.mean(labels % 2) ** 2 * np.mean(labels % 2 == 0)),
        "constant_guess_error_b": pytest.approx(100 - 100 * max(chances)),
    }


def test_the_papers_own_value_given_by_hand_is_no_change():
    assert Spec(method="dni", synthetic_gradient_depth=2).changed("paper") == []
    assert Spec(method="cdni", synthetic_gradient_depth=2).changed("paper") == [
        "synthetic_gradient_depth = 2 (paper: 0)"
    ]
    assert Spec(target_scale="batch_mean").changed("choice") == ["target_scale = batch_mean (default: example)"]


def test_an_unknown_key_in_a_record_is_refused(run, tmp_path):
    stored = json.loads((run[0] / "run.json").read_text()) | {"surprise": 1}
    (tmp_path / "run.json").write_text(json.dumps(stored))
    with pytest.raises(UserError, match="not a valid run record"):
        read_record(tmp_path / "run.json")


def test_evaluate_gives_the_curves_last_values_again(run, capsys):
    assert main(["evaluate", str(run[0])]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    for line in lines:
        now, then = (float(part.split()[0]) for part in line.split(": ")[1].split(", "))
        assert now == pytest.approx(then, abs=1e-4)


def test_sources_follow_imports_and_keep_the_frameworks_apart():
    torch_sources, jax_sources = (training_sources("feedforward", f) for f in ("torch", "jax"))
    for framework, sources in (("torch", torch_sources), ("jax", jax_sources)):
        other = {"torch": "jax", "jax": "torch"}[framework]
        cell = "experiments/feedforward"
        for name in (f"{cell}/{framework}_impl", f"{cell}/spec", f"engine/{framework}_ops", "data/mnist"):
            assert f"impls/{name}.py" in sources
        assert not [source for source in sources if other in source]
        assert not [source for source in sources if source.startswith(("paper_figures", "tests", "workflows"))]


def test_importing_a_spec_or_the_command_line_needs_no_framework():
    code = "import sys, impls.cli, impls.experiments.feedforward.spec; print({'torch', 'jax'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_the_default_folder_is_the_workflows_own():
    path = cell_folder("feedforward", Spec(depth=5, method="dni"), Options(framework="jax", preset="quick"))
    assert path.as_posix() == "results/quick/feedforward/dataset~mnist/model~fcn/depth~5/method~dni/jax"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--depth", "1"], "--depth: Input should be greater than or equal to 2"),
        (["--learning-rate", "-1"], "--learning-rate: Input should be greater than 0"),
        (["--iterations", "many"], "--iterations: Input should be a valid integer"),
    ],
)
def test_a_bad_value_is_one_clear_line(flags, message, capsys):
    assert main(["train", "feedforward", "--framework", "torch", *flags]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--hiden-units", "3"], ["--method", "dnni"], []])
def test_an_unknown_flag_or_choice_or_no_framework_is_refused(flags):
    with pytest.raises(SystemExit) as stop:
        main(["train", "feedforward", *(["--framework", "torch"] if flags else []), *flags])
    assert stop.value.code == 2


def test_help_teaches_every_field(capsys):
    with pytest.raises(SystemExit):
        main(["train", "feedforward", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for name in (*Spec.model_fields, *Options.model_fields):
        assert f"--{name.replace('_', '-')}" in text
    assert "(default: 300000 400000)" in text


def test_operations_are_those_counted_by_hand():
    """Depth 3, hidden 256, batch 256: forward and weights of every layer, inputs of all but the first."""
    layers = [784 * 256, 256 * 256, 256 * 10]
    net = 2 * sum(layers) + layers[1] + layers[2]
    model = [256 * 1024, 1024 * 1024, 1024 * 256]
    dni = net + 2 * (2 * sum(model) + model[1] + model[2])
    cdni = net + 2 * (2 * 266 * 256)
    expected = {"bprop": net, "no_bprop": sum(layers) + layers[2], "dni": dni, "cdni": cdni}
    for method, multiply_adds in expected.items():
        assert Spec(method=method, depth=3).operations_per_step() == 2 * 256 * multiply_adds
