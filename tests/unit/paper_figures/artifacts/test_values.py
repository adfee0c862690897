"""Values as LaTeX macros: their names, what they print, and the sample paper that uses them."""

import re
import shutil
import subprocess

import pytest

from paper_figures.artifacts import values
from paper_figures.artifacts.values import MISSING, VARIANTS, macro
from paper_figures.claims.matching import read_claims
from paper_figures.names import FRAMEWORKS
from paper_figures.publish.macro_names import in_letters, number_word
from paper_figures.runs import ROOT
from tests.support.runs_on_disk import write_run

SAMPLE = ROOT / "docs/sample-paper/sample.tex"
FOUR = "table_feedforward/mnist/fcn/4/dni"
DEFINITION = re.compile(r"^\\newcommand\{\\(\w+)\}(?:\[1\])?\{(.*)\}(?:%.*)?$", re.MULTILINE)


def macros_of(results):
    """{name: what the macro prints}; no name may occur twice."""
    found = DEFINITION.findall(values.make(results)[".tex"].decode())
    assert len(dict(found)) == len(found)
    return dict(found)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return macros_of(tmp_path_factory.mktemp("empty"))


def printed(macros, framework="torch", claim=FOUR):
    return tuple(macros[macro(claim, framework, variant)] for variant in VARIANTS)


def test_every_claim_has_its_macros_in_letters_alone(empty):
    ids = read_claims()["id"]
    names = {macro(claim, "paper") for claim in ids}
    names |= {macro(claim, source, variant) for claim in ids for source in FRAMEWORKS for variant in VARIANTS}
    assert len(names) == len(ids) * (1 + len(FRAMEWORKS) * len(VARIANTS))
    assert empty.keys() == names | {"dniMissing", "dniNotComparable", "dniStandIn"}
    assert all(re.fullmatch("[A-Za-z]+", name) for name in empty)
    assert macro(FOUR, "jax", "HalfWidth") == "dniFeedforwardMnistFcnFourDniJaxHalfWidth"


@pytest.mark.parametrize(
    ("number", "word"),
    [
        *((0, "Zero"), (13, "Thirteen"), (20, "Twenty"), (21, "TwentyOne"), (500_000, "FiveHundredThousand")),
        *((78_750, "SeventyEightThousandSevenHundredFifty"), (2_500_000, "TwoMillionFiveHundredThousand")),
    ],
)
def test_numbers_in_words(number, word):
    assert number_word(number) == word


def test_ranges_and_fields_in_letters():
    assert in_letters("cut_after~1/0.10-0.15") == "CutAfterOneZeroPointOneZeroToZeroPointOneFive"


def test_without_runs_everything_but_the_papers_is_visibly_missing(empty):
    assert empty[macro(FOUR, "paper")] == "2.2"
    assert empty[macro("text_deep/mnist/fcn/21/cdni", "paper")] == "2"
    assert empty[macro("table_rnn/copy/lstm/dni/truncation_length~3", "paper")] == "14"
    assert printed(empty) == (MISSING, MISSING, MISSING, "0", "missing")
    assert empty["dniMissing"] == r"\textbf{[missing]}"


def test_a_comparable_number_wears_no_mark(tmp_path):
    write_run(tmp_path, final=[2.15, 2.2, 2.25])
    assert printed(macros_of(tmp_path)) == (r"$2.20 \pm 0.12$", "2.20", "0.12", "3", "reproduced")


def test_one_replica_says_so(tmp_path):
    write_run(tmp_path, final=2.2, seeds=(0,))
    assert printed(macros_of(tmp_path)) == ("2.20 ($n = 1$)", "2.20", MISSING, "1", "inconclusive")


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({"source": "stand-in", "differs": ["hidden_units = 64 (paper: 256)"]}, "dniStandIn"),
        ({"differs": ["hidden_units = 64 (paper: 256)"]}, "dniNotComparable"),
        ({"choices": ["target_scale = batch_mean (default: example)"]}, "dniNotComparable"),
        ({"reached": 100_000}, "dniNotComparable"),
    ],
)
def test_what_is_not_comparable_wears_its_mark_in_every_number(tmp_path, changes, mark):
    write_run(tmp_path, final=[2.15, 2.2, 2.25], **changes)
    *numbers, replicas, verdict = printed(macros_of(tmp_path))
    assert [number.partition("{")[0] for number in numbers] == [f"\\{mark}"] * 3
    assert (replicas, verdict) == ("3", "not comparable")


def test_a_mean_of_survivors_never_stands_alone(tmp_path):
    write_run(tmp_path, diverged=1)
    both, value, *_, verdict = printed(macros_of(tmp_path))
    assert both.endswith(" (1 diverged)") and value.endswith(" (1 diverged)")
    assert verdict == "differs (worse)"


def test_if_all_diverged_there_is_no_number(tmp_path):
    write_run(tmp_path, diverged=3)
    assert printed(macros_of(tmp_path))[:4] == (r"\textbf{[3 diverged]}",) * 3 + ("0",)


def test_the_sample_paper_uses_only_macros_that_there_are(empty):
    used = set(re.findall(r"\\(dni\w+)", SAMPLE.read_text()))
    assert used and used <= empty.keys()


@pytest.mark.slow("runs pdflatex")
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_the_sample_paper_compiles(tmp_path):
    published = next((ROOT / "results/published").glob("*/tables/text_single_dni.tex")).parents[1]
    results = tmp_path / "results"
    for folder in ("tables", "figures"):
        shutil.copytree(published / folder, results / folder)
    (results / values.OUTPUT).write_bytes(values.make(published)[".tex"])
    source = rf"\def\results{{{results}}}\input{{{SAMPLE.as_posix()}}}"
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-jobname=sample", source]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    if "not found" in run.stdout and ".sty" in run.stdout:
        pytest.skip("this LaTeX lacks a package that the sample needs")
    assert run.returncode == 0 and "LaTeX Error" not in run.stdout, run.stdout[-3000:]
    assert (tmp_path / "sample.pdf").stat().st_size > 10_000
