"""The smoke preset, run in full: from the stand-in data through both frameworks to tables, figures and claims."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from impls.presets import cells, load_preset, result_directory

pytestmark = pytest.mark.slow("runs Snakemake")

SMOKE = ("--configfile", "config/smoke.yaml")
TABLE_SUFFIXES, FIGURE_SUFFIXES = ("csv", "md", "tex", "json"), ("pdf", "svg", "png", "csv", "json")
TABLE = [f"tables/table_feedforward.{suffix}" for suffix in TABLE_SUFFIXES]
FIGURE = [f"figures/fig_feedforward_curves.{suffix}" for suffix in FIGURE_SUFFIXES]
OTHERS = [
    *(f"tables/{name}.{suffix}" for name in ("text_single_dni", "table_frameworks") for suffix in TABLE_SUFFIXES),
    *(
        f"figures/{name}.{suffix}"
        for name in ("fig_gradient_quality", "fig_complete_unlock")
        for suffix in FIGURE_SUFFIXES
    ),
]


# A sitecustomize.py, which every Python imports at its start: a line for each process that imports a framework.
LIST_IMPORTS = """\
import sys
from pathlib import Path

class ListImports:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "jax"):
            sys.meta_path.remove(self)
            with (Path(__file__).parent / "imports").open("a") as lines:
                print(name, *sys.orig_argv, file=lines)

sys.meta_path.insert(0, ListImports())
"""


@pytest.fixture(scope="module")
def imports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with LIST_IMPORTS, and after the run of the smoke preset with its lines."""
    folder = tmp_path_factory.mktemp("imports")
    (folder / "sitecustomize.py").write_text(LIST_IMPORTS)
    return folder


@pytest.fixture(scope="module")
def smoke(snakemake, checkout: Path, imports: Path) -> Path:
    """The folder of the smoke preset's results, made once; the run ends with what it shows, and where."""
    result = snakemake(*SMOKE, PYTHONPATH=str(imports))
    assert "report, for a browser:  results/smoke/report.html" in result.stdout
    return checkout / "results/smoke"


def test_every_cell_has_curves_and_a_record(smoke: Path, checkout: Path):
    preset = load_preset(checkout / "config/smoke.yaml")
    for experiment, framework in itertools.product(preset.experiments, preset.frameworks):
        for cell in cells(preset, experiment):
            folder = checkout / result_directory(preset, experiment, cell, framework)
            record = json.loads((folder / "run.json").read_text())
            assert (record["status"], record["framework"], record["preset"]) == ("complete", framework, "smoke")
            assert {name: cell[name] for name in record["cell"]} == record["cell"]
            assert {name: record["spec"][name] for name in ("hidden_units", "batch_size")} == {
                name: cell[name] for name in ("hidden_units", "batch_size")
            }
            assert record["device"]["threads"] == 1
            curves = pd.read_parquet(folder / "curves.parquet")
            evaluated = curves[curves["split"] != "curriculum"]  # whose points are at the promotions
            assert sorted(evaluated["iteration"].unique()) == [0, 10, 20]


def test_trainings_share_the_import_of_their_framework(smoke: Path, imports: Path):
    processes = (imports / "imports").read_text().splitlines()
    servers = [process.split()[0] for process in processes if "impls.fork_server" in process]
    by_themselves = [process for process in processes if "impls train" in process]  # before a server was ready
    assert sorted(servers) == ["jax", "torch"]
    assert len(by_themselves) < len(list(smoke.rglob("run.json"))) / 2


def test_the_table_the_figure_and_the_claims_exist_and_claim_nothing(smoke: Path):
    for name in (*TABLE, *FIGURE, *OTHERS, "claims.csv", "values.tex", "values.json", "report.html"):
        assert (smoke / name).stat().st_size > 0, name
    assert "stand-in" in (smoke / "tables/table_feedforward.md").read_text()
    assert "Nothing here is\ncomparable with the paper." in (smoke / "report.html").read_text()
    for name in ("claims.csv", "tables/table_feedforward.csv"):
        text = (smoke / name).read_text()
        assert "not comparable" in text, name
        assert not re.search(r"\breproduced\b", text), f"{name} says 'reproduced' of a net of 16 units"


def test_a_second_call_has_nothing_to_do(smoke: Path, snakemake):
    result = snakemake(*SMOKE)
    assert "Nothing to do: everything is up to date." in result.stderr
    assert "PyTorch: no run of an ordering or trend yet" in result.stdout
    assert "report, for a browser:  results/smoke/report.html" in result.stdout


def test_snakemakes_own_report_needs_no_network(smoke: Path, snakemake):
    """By section of the paper, with labels. Whatever it asks of the network goes to a port where nothing listens."""
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    page = smoke / "snakemake-report.html"
    snakemake(*SMOKE, "--report", str(page), **nowhere)
    text = page.read_text()
    for words in ("Every layer DNI", "Single DNI", "Verdicts", "STAND-IN DATA", "PyTorch, JAX", "not comparable"):
        assert words in text, words


def test_published_runs_are_drawn_without_either_framework(smoke: Path, snakemake, without_training, checkout: Path):
    published = checkout / "results/published/test-device"
    shutil.copytree(smoke / "feedforward", published / "feedforward")
    # Everything that is drawn, and the archive.
    snakemake("report", "crate", "--config", "source=published", **without_training)
    for name in (*TABLE, *FIGURE, "claims.csv", "values.tex", "crate.zip", "report.html"):
        assert (published / name).stat().st_size > 0, name
    assert not (checkout / "results/quick").exists()


def test_a_failing_cell_leaves_the_others_and_shows_its_log(smoke: Path, snakemake, checkout: Path):
    """Runs last: it breaks one of the twins."""
    twin = checkout / "impls/experiments/feedforward/jax_impl.py"
    twin.write_text(twin.read_text() + "\nraise RuntimeError('broken on purpose')\n")
    result: subprocess.CompletedProcess = snakemake(*SMOKE, "--forcerun", "train_feedforward", fails=True)
    assert re.search(r"^FAILED: feedforward mnist fcn \d \w+ \(jax\)$", result.stderr, re.M)
    end = r"^\d+ of \d+ jobs are done, \d+ failed\. The same command goes on with the rest\.$"
    assert re.search(end, result.stderr, re.M)
    assert "RuntimeError: broken on purpose" in result.stderr
    trained = sorted(path.parent.name for path in (smoke / "feedforward").rglob("run.json"))
    assert trained == ["jax"] * 3 + ["torch"] * 3  # those of the broken twin are kept as they were
