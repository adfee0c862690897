"""The tables of numbers that the paper gives in its text, and the notes that all tables share."""

import io
import itertools
import math
import re

import pandas as pd
import pytest

from paper_figures import registry
from paper_figures.drawing import captions
from paper_figures.runs import read_runs
from tests.support.published_numbers import SINGLE_DNI, STALE
from tests.support.runs_on_disk import write_run
from tests.support.table_assertions import assert_braces_match

NAMES = ("text_deep", "text_stale_gradients", "text_single_dni")
DECAYS = (0.0, 0.9, 0.99)


def write_all(results, frameworks=("torch", "jax"), **changes):
    """Every cell of the three tables but the cuts after layers 3 and 4; the errors depend on the cell alone."""
    for framework in frameworks:
        for method, final in (("bprop", 2.1), ("cdni", 2.2)):
            write_run(results, framework, 21, method, [final] * 3, **changes)
        for depth, decay in itertools.product(STALE, DECAYS):
            final = [STALE[depth] + {0.0: 3, 0.9: 0.1, 0.99: 1}[decay] + 0.01 * i for i in range(3)]
            place = {"experiment": "stale_gradients", "cell": {"stale_decay": decay}}
            write_run(results, framework, depth, "stale", final, **place, **changes)
        write_run(results, framework, 6, "bprop", experiment="single_dni", cell={"cut_after": 0}, **changes)
        for method, cut in itertools.product(("no_bprop", "dni", "cdni"), (1, 2, 5)):
            final = [SINGLE_DNI.get((method, cut), 7.0)] * 3
            write_run(results, framework, 6, method, final, experiment="single_dni", cell={"cut_after": cut}, **changes)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    write_all(folder)
    return folder


def lines_of(results, name):
    """The lines of the printed table, split into cells, headings first."""
    lines = registry.module(name).make(results)[".md"].decode().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]


def numbers_of(results, name):
    return pd.read_csv(io.BytesIO(registry.module(name).make(results)[".csv"]))


def test_deep(results):
    headings, _, paper, torch, jax = lines_of(results, "text_deep")
    assert headings == ["Layers", "From", "Backprop", "cDNI"]
    assert paper == ["21", "paper", "the same", "2"]  # "2%" is all that the paper says
    assert torch == ["", "PyTorch", "2.10 ± 0.00 (3)", "2.20 ± 0.00 (3) inconclusive, resolves 2.5"] and jax[1] == "JAX"
    numbers = numbers_of(results, "text_deep")
    assert numbers["source"].value_counts().to_dict() == {"torch": 2, "jax": 2, "paper": 1}
    assert set(numbers.loc[numbers["method"] == "bprop", "why"]) == {"no published number"}


def test_stale_gradients_shows_every_decay_and_the_best(results):
    headings, _, *lines = lines_of(results, "text_stale_gradients")
    assert headings == ["Layers", "From", "Decay 0.0", "Decay 0.9", "Decay 0.99", "Best decay"]
    by_depth = {
        int(paper[0]): (paper, torch, jax)
        for paper, torch, jax in zip(lines[::3], lines[1::3], lines[2::3], strict=True)
    }
    assert by_depth.keys() == STALE.keys()
    for depth, published in STALE.items():
        paper, torch, jax = by_depth[depth]
        assert paper[1:] == ["paper", "", "", "", f"{published:.1f}"]
        assert torch[1:] == [
            "PyTorch",
            *(f"{published + more:.2f} ± 0.02 (3)" for more in (3.01, 0.11, 1.01)),
            torch[5],
        ]
        ours = f"{published + 0.11:.2f} ± 0.02 (3) at 0.9 reproduced, resolves "
        assert torch[5].startswith(ours) and jax[2:] == torch[2:]


def test_stale_gradients_of_some_decays_only(tmp_path):
    """A sweep that is not finished is shown as far as it is; the best is the best of those."""
    place = {"experiment": "stale_gradients", "cell": {"stale_decay": 0.99}}
    write_run(tmp_path, "torch", 5, "stale", [16.0, 16.1, 16.2], **place)
    place = {"experiment": "stale_gradients", "cell": {"stale_decay": 0.9999}}
    write_run(tmp_path, "jax", 5, "stale", [15.0, 15.1, 15.2], reached=100_000, **place)
    headings, _, *lines = lines_of(tmp_path, "text_stale_gradients")
    assert headings[2:] == ["Decay 0.99", "Decay 0.9999", "Best decay"]
    torch, jax = lines[7], lines[8]
    assert torch[2:] == ["16.10 ± 0.25 (3)", "missing", "16.10 ± 0.25 (3) at 0.99 reproduced, resolves 0.32"]
    assert jax[2] == "missing" and jax[4] == "15.10 ± 0.25 (3) at 0.9999 not comparable"
    chosen = numbers_of(tmp_path, "text_stale_gradients")["chosen"].dropna()
    assert list(chosen) == [f"stale_decay~{decay}, best on test error of 1" for decay in (0.99, 0.9999)]


def test_single_dni_by_cut_and_method(results):
    headings, _, *lines = lines_of(results, "text_single_dni")
    assert headings == ["Cut after layer", "From", "No backprop", "Backprop", "DNI", "cDNI"]
    assert [line[0] for line in lines if line[0]] == ["no cut", "1", "2", "3", "4", "5"]
    papers = [line[2:] for line in lines if line[1] == "paper"]
    empty = [""] * 4
    assert papers == [["", "1.6", "", ""], ["2.9", "", "1.8", ""], empty, empty, empty, ["23.7", "", "3.4", ""]]
    uncut, first, second, third = (lines[3 * number + 1][2:] for number in range(4))
    assert uncut[0] == uncut[2] == uncut[3] == "" and uncut[1]
    one, none = "2.90 ± 0.00 (3) reproduced, resolves 0.68", "1.80 ± 0.00 (3) reproduced, resolves 0.68"
    assert first == [one, "", none, "7.00 ± 0.00 (3)"]
    assert second == ["7.00 ± 0.00 (3)", "", "7.00 ± 0.00 (3)", "7.00 ± 0.00 (3)"]
    assert third == ["missing", "", "missing", "missing"]


@pytest.mark.parametrize("name", NAMES)
def test_every_number_says_when_it_is_not_comparable(tmp_path, name):
    """Even one for which the paper has no number."""
    write_all(tmp_path, ["torch"], iterations=2000, source="stand-in")
    _, _, *lines = lines_of(tmp_path, name)
    ours = [cell for line in lines for cell in line[2:] if line[1] == "PyTorch" and cell not in ("", "missing")]
    assert ours and all(cell.endswith("not comparable") for cell in ours)
    text = registry.module(name).make(tmp_path)[".md"].decode()
    assert text.splitlines()[2].startswith("**STAND-IN DATA: not MNIST but scikit-learn's")


@pytest.mark.parametrize("name", NAMES)
def test_without_runs_the_papers_numbers_stand_alone(tmp_path, name):
    written = registry.module(name).make(tmp_path)
    assert "No runs found" in written[".md"].decode()
    numbers = pd.read_csv(io.BytesIO(written[".csv"]))
    assert numbers.loc[numbers["source"] == "paper", "value"].notna().all()
    assert set(numbers["verdict"].dropna()) == {"missing"}


@pytest.mark.parametrize("name", NAMES)
def test_tex_is_ascii_balanced_and_rectangular(results, name):
    text = registry.module(name).make(results)[".tex"].decode("ascii")
    assert_braces_match(text)
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
    (ampersands,) = {line.count(" & ") for line in body.splitlines() if line.endswith(r"\\")}
    columns = re.search(r"\\begin{tabular}{@{}(l+c+)@{}}", text)[1]
    assert len(columns) == ampersands + 1 == len(lines_of(results, name)[0])
    assert rf"\label{{tab:dni-{name.removeprefix('text_').replace('_', '-')}}}" in text


def test_a_mix_of_data_is_said(tmp_path):
    """In the paper's order of the data sets; original data are named beside stand-ins."""
    write_run(tmp_path, dataset="cifar10", model="cnn", source="stand-in")
    write_run(tmp_path, source="stand-in")
    line = captions.data_line(read_runs(tmp_path, "feedforward"))
    assert line == (
        "STAND-IN DATA: not MNIST but scikit-learn's 8x8 digits enlarged to 28x28 (1500 train, 297 test); "
        "not CIFAR-10 but ten procedural classes of 32x32 colour images (2000 train, 500 test)."
    )
    write_run(tmp_path, depth=5)
    assert captions.data_line(read_runs(tmp_path, "feedforward")) == (
        line.replace("DATA:", "DATA in 2 of 3 runs:").replace("test).", "test); other data: MNIST (original).")
    )
    originals = tmp_path / "originals"
    write_run(originals, dataset="cifar10")
    write_run(originals)
    assert captions.data_line(read_runs(originals, "feedforward")) == "Data: MNIST, CIFAR-10 (original)."


def test_a_row_of_numbers_is_never_dropped(results):
    """Every run under the experiment's folder is a number of its table."""
    for name, experiment in (("text_stale_gradients", "stale_gradients"), ("text_single_dni", "single_dni")):
        numbers = numbers_of(results, name)
        assert {run.path for run in read_runs(results, experiment)} == set(numbers["run"].dropna())
        assert not any(math.isnan(value) for value in numbers.loc[numbers["run"].notna(), "value"])
