"""The table and the figure of curves of the feed-forward experiment, and what all drawings share."""

import io
import itertools
import json
import math
import re

import pandas as pd
import pytest
from PIL import Image

from paper_figures.artifacts import fig_feedforward_curves, table_feedforward
from paper_figures.drawing import latex, style
from paper_figures.provenance import stamps
from paper_figures.runs import read_runs
from tests.support.figure_assertions import assert_nothing_overlaps, lightness
from tests.support.judged_claims import judged
from tests.support.published_numbers import TABLE
from tests.support.runs_on_disk import EQUAL, write_published, write_quick, write_run
from tests.support.table_assertions import assert_braces_match


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    results = tmp_path_factory.mktemp("quick")
    write_quick(results)
    return results


def test_the_quick_preset_is_not_comparable_and_says_so_on_top(quick, drawn):
    table = judged(quick)
    made = table[table["run"] != ""]
    assert len(made) == 160 + 8 and set(made["verdict"]) == {"not comparable"}
    assert (made["why"].str.startswith("stand-in data; hidden_units = 64 (paper: 256); 2000 of ")).all()
    assert set(table.loc[table["run"] == "", "verdict"]) == {"missing"}
    written = table_feedforward.make(quick)
    assert written[".md"].decode().splitlines()[2].startswith("**STAND-IN DATA: not MNIST but scikit-learn's")
    caption = re.split(r"\\caption{\\\w+ ", written[".tex"].decode())[1]
    assert caption.startswith("STAND-IN DATA") and "chose the number of hidden layers" in caption
    assert json.loads(fig_feedforward_curves.make(quick)[".json"])["caption"].startswith("STAND-IN DATA")


def test_the_table_shows_a_missing_framework(tmp_path):
    write_run(tmp_path, "torch", final=EQUAL)
    written = table_feedforward.make(tmp_path)
    lines = [line.split(" | ") for line in written[".md"].decode().splitlines() if line.startswith("| ")]
    jax = [line for line in lines if "JAX" in line]
    assert len(jax) == 12 and all(cell.strip(" |") == "missing" for line in jax for cell in line[4:])
    assert sum("2.20 ± 0.12 (3) reproduced" in cell for line in lines for cell in line) == 1
    long = pd.read_csv(io.BytesIO(written[".csv"]))
    assert long["source"].value_counts().to_dict() == {"paper": 48, "torch": 48, "jax": 48}
    assert set(long[long["source"] == "jax"]["verdict"]) == {"missing"}


def test_the_table_has_the_papers_six_blocks_in_its_order(tmp_path):
    """Every net has three lines, and each number is in its method's column."""
    lines = table_feedforward.make(tmp_path)[".md"].decode().splitlines()
    paper = [line.strip("| ").split(" | ") for line in lines if "| paper |" in line]
    names = {"mnist": "MNIST", "cifar10": "CIFAR-10", "fcn": "fully connected", "cnn": "convolutional"}
    expected = [
        [names[dataset], names[model], str(depth), "paper", *(f"{block[method][depth - 3]:.1f}" for method in block)]
        for (dataset, model), block in TABLE.items()
        for depth in range(3, 3 + len(block["dni"]))
    ]
    assert paper == expected
    assert sum(line.startswith("|  |  |  | ") for line in lines) == 24


def test_notes_and_stamp_are_about_the_runs_that_the_table_shows(tmp_path):
    """A net of 21 layers is in the same experiment's folder, and in another table."""
    write_run(tmp_path, final=EQUAL)
    write_run(tmp_path, depth=21, method="cdni", iterations=1234, preset="deep")
    text = table_feedforward.make(tmp_path)[".md"].decode()
    assert "Preset paper." in text and "1,234" not in text and ", 1 runs" in text


def test_tex_is_ascii_balanced_and_rectangular(tmp_path):
    write_run(tmp_path, "torch", diverged=3)
    text = table_feedforward.make(tmp_path)[".tex"].decode("ascii")
    assert_braces_match(text)
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
    assert {line.count(" & ") for line in body.splitlines() if line.endswith(r"\\")} == {7}
    assert (
        latex.escape("--a_b 5% ± ~^\\ é") == r"-{}-a\_b 5\% $\pm$ \textasciitilde{}\textasciicircum{}\textbackslash{} ?"
    )


def test_the_stamp_follows_the_inputs_into_every_file(tmp_path):
    run = write_run(tmp_path, iterations=1000)
    before = fig_feedforward_curves.make(tmp_path)
    stamp = json.loads(before[".json"])["stamp"]
    assert stamp["runs"][0]["path"] == (run / "run.json").relative_to(tmp_path).as_posix()
    assert stamp["sources"].keys() >= {
        "paper_figures/artifacts/fig_feedforward_curves.py",
        "paper_figures/claims/claims.csv",
    }
    short = f"Stamp {stamp['stamp_sha256'][:10]}"
    assert short in Image.open(io.BytesIO(before[".png"])).text["Description"]
    assert short.encode() in before[".svg"] and short.encode() in before[".pdf"]
    (run / "run.json").write_text((run / "run.json").read_text() + " ")
    after = stamps.stamp("fig_feedforward_curves", tmp_path, read_runs(tmp_path, "feedforward"))
    assert after["stamp_sha256"] != stamp["stamp_sha256"]


@pytest.mark.parametrize("scene", ["quick", "published", "nothing"])
def test_nothing_in_the_figure_overlaps_or_is_clipped(tmp_path, drawn, scene):
    {"quick": write_quick, "published": write_published, "nothing": lambda results: None}[scene](tmp_path)
    fig_feedforward_curves.make(tmp_path)
    (figure,) = drawn
    head = " ".join(text.get_text() for text in figure.texts)
    assert ("STAND-IN DATA" in head) == (scene == "quick")
    assert_nothing_overlaps(figure)


def test_the_figures_numbers_are_those_of_the_runs(tmp_path, drawn):
    write_run(tmp_path, "jax", final=[2.0, 2.2, 2.4], iterations=1000)
    points = pd.read_csv(io.BytesIO(fig_feedforward_curves.make(tmp_path)[".csv"]))
    curve = read_runs(tmp_path, "feedforward")[0].curve("test", "error")
    ours = points[points["source"] == "jax"].set_index("iteration")
    assert list(ours["value"]) == pytest.approx(list(curve.mean(axis=1)), rel=1e-5)
    assert ours.loc[1000, "low"] == pytest.approx(2.2 - 4.302653 * 0.2 / math.sqrt(3), rel=1e-5)
    assert (points["source"] == "paper").sum() == 80


def test_depths_are_told_apart_in_grey():
    steps = [lightness(colour) for _, colour in sorted(style.DEPTHS.items())]
    assert all(brighter - darker > 12 for brighter, darker in itertools.pairwise(steps))
