"""The report: what it says about synthetic runs, and that it is one file that needs no other."""

import itertools
import math
import re
import shlex

import pandas as pd
import pytest

from impls.cli import build_parser
from impls.errors import UserError
from paper_figures import registry
from paper_figures.claims.matching import read_claims
from paper_figures.claims.sections import ADDITIONS, by_section, section_by_artifact, section_of
from paper_figures.cli import main
from paper_figures.report.claims import WAITING, claim_rows, claims_with_headings, statements
from paper_figures.report.missing import missing_runs
from paper_figures.report.snakemake_labels import labels
from paper_figures.runs import all_runs
from tests.support.report_results import FULL_SIZE, Page, draw, write_results, write_stand_ins
from tests.support.runs_on_disk import write_run

pytestmark = pytest.mark.slow("judges every claim and draws the report")

CLAIM = "table_feedforward/mnist/fcn/4/dni"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("results") / "paper_like")


@pytest.fixture(scope="module")
def page(results):
    return Page(results)


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory):
    return write_stand_ins(tmp_path_factory.mktemp("stand_ins") / "quick")


def test_counts_are_those_of_the_claims(results, page):
    judged = pd.read_csv(results / "claims.csv")
    counted = {
        (link["data-section"], link["data-framework"], link["data-verdict"]): int(link["data-count"])
        for link in page.all("a", "data-count")
        if "data-text" not in link
    }
    by_section = judged.assign(section=judged["section"].str.partition(",")[0])
    expected = by_section.groupby(["section", "framework", "verdict"]).size().to_dict()
    whole = judged.groupby(["framework", "verdict"]).size()
    assert counted == expected | {("", *key): n for key, n in whole.items()}
    assert {"reproduced", "differs (worse)", "inconclusive", "not comparable", "missing"} <= set(judged["verdict"])


def test_what_the_paper_says_in_words_is_counted_by_statement(results):
    judged = claims_with_headings(results).query("metric in ('steps_fraction_a', 'steps_fraction_b')").copy()
    judged["id"] = [f"finding/dni_comes_sooner/{name}" for name in judged["id"]]
    judged["ours"] = [0.4, 0.9, 1.2, math.nan]
    (row,) = statements(judged)
    assert (row["heading"], row["name"]) == ("Two networks at two rates", "DNI comes sooner")
    assert row["counts"] == {"torch": {"missing": 2}, "jax": {"missing": 2}}
    assert row["side"] == {"torch": "1 of 2", "jax": "0 of 1"}  # at most 0.5, at most 1


def test_every_claim_has_a_row_with_margin_reason_and_why(results, page):
    judged = claims_with_headings(results)
    rows = [row for row in page.all("tr", "data-verdict")]
    assert [(row["data-framework"], row["data-verdict"]) for row in rows] == list(
        zip(judged["framework"], judged["verdict"], strict=True)
    )
    for reason in judged["reason"].unique():
        assert " ".join(reason.split()) in page.text
    assert "mean inside 2.2 ± 0.3" in page.text
    assert "1 diverged" in page.text
    assert re.search(r"2\.20 \[2\.08, 2\.32\] n = 3 ", page.text)


def test_a_mean_is_rounded_once(tmp_path):
    """As in the tables: claims.csv has six digits, 3.825, and that would be 3.83 with two decimals."""
    write_run(tmp_path, final=[3.8249999] * 3, **FULL_SIZE)
    draw(tmp_path, "claims")
    (row,) = [row for row in claim_rows(claims_with_headings(tmp_path)) if row["ours"] and row["id"] == CLAIM]
    assert row["ours"] == "3.82"
    assert "3.82 ± 0.00 (3)" in registry.module("table_feedforward").make(tmp_path)[".md"].decode()


def test_one_file_that_asks_for_nothing_else(results, page):
    content = (results / "report.html").read_text()
    loaded = [attributes.get("src") or attributes.get("srcset") for _, attributes in page.tags]
    assert all(source.startswith("data:") for source in loaded if source)
    assert not page.all("link", "href")[1:] and page.all("link", "href")[0]["href"] == "data:,"
    styles = re.search(r"<style>(.*?)</style>", content, re.DOTALL)[1]
    assert not re.search(r"@import|url\(|https?:", styles)
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(", content)


def test_links_lead_somewhere(results, page):
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    hrefs = {link["href"] for link in page.all("a", "href")}
    assert {href[1:] for href in hrefs if href.startswith("#")} <= set(ids)
    files = [href for href in hrefs if not href.startswith("#")]
    assert all((results / file).is_file() for file in files)
    assert {"figures/fig_feedforward_curves.pdf", "tables/table_feedforward.tex"} <= set(files)


def test_it_can_be_read_without_eyes(page):
    """Landmarks, headings without gaps, names of tables and images, labels of inputs."""
    names = [name for name, _ in page.tags]
    assert {"main", "nav", "header", "footer"} <= set(names) and names.count("h1") == 1
    levels = [int(name[1]) for name in names if re.fullmatch("h[1-6]", name)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert all(len(image["alt"]) > 20 for name, image in page.tags if name == "img")
    assert names.count("label") == names.count("select") + names.count("input")
    assert len(page.all("th", "aria-sort")) == names.count("button") - names.count("form")
    scrolling = [attributes for _, attributes in page.tags if attributes.get("tabindex") == "0"]
    assert all(part["role"] == "region" and part.keys() & {"aria-label", "aria-labelledby"} for part in scrolling)


def test_runs_in_trouble_are_named(page):
    trouble = page.text.partition("Diverged, stopped early or failed")[2].partition("Otherwise than the paper")[0]
    cell = "feedforward/dataset~mnist/model~fcn/depth~"
    assert f"{cell}4/method~dni/jax/run.json 1 of 3 replicas diverged (seeds 0; seen first at iteration" in trouble
    assert f"{cell}3/method~dni/torch/run.json stopped at iteration 100,000 of 500,000" in trouble
    assert f"{cell}6/method~cdni/jax/run.json did not finish, left no record; see logs/{cell}6" in trouble
    assert trouble.count("run.json") == 3
    assert "target_scale = batch_mean (default: example) 1 feedforward" in page.text


def test_what_is_missing_has_a_command(results):
    rows = missing_runs(claims_with_headings(results), all_runs(results), results)
    commands = {row["id"]: row["command"] for part in rows.values() for row in part}
    fill = "fill-feedforward-dataset-mnist-model-fcn-depth-"
    assert commands[f"{fill}3-method-dni-torch"].endswith("--depth 3 --method dni --data original --resume")
    twin = commands[f"{fill}5-method-bprop-torch"]
    assert "--framework torch" in twin and twin.endswith("/depth~5/method~bprop/torch'")
    assert commands[f"{fill}6-method-bprop-jax"] == (
        "snakemake --configfile config/paper.yaml "
        "'results/paper/feedforward/dataset~mnist/model~fcn/depth~6/method~bprop/jax/run.json'"
    )
    assert commands["fill-stale-gradients-dataset-mnist-model-fcn-depth-3-method-stale-stale-decay-any-jax"] == (
        "snakemake --configfile config/paper.yaml stale_gradients"
    )
    for command in (twin, commands[f"{fill}3-method-dni-torch"]):
        build_parser().parse_args(shlex.split(command)[3:])
    reproduced = claims_with_headings(results).query("verdict == 'reproduced'")
    assert CLAIM in set(reproduced["id"]) and set(reproduced["framework"]) == {"torch"}
    waits = {row["fill"] for row in claim_rows(claims_with_headings(results)) if row["verdict"] in WAITING}
    assert waits == set(commands)


def test_what_a_claim_is_held_against_is_made_with_it(results):
    judged = claims_with_headings(results)
    claim = judged[judged["id"] == "table_feedforward/mnist/fcn/6/dni"].head(1)
    paths = "'results/paper/feedforward/dataset~mnist/model~fcn/depth~6/method~{}/torch/run.json'"
    (row,) = missing_runs(claim.assign(reference="method~bprop"), [], results)["feedforward"]
    assert row["command"].endswith(f"{paths.format('dni')} {paths.format('bprop')}")
    (row,) = missing_runs(claim.assign(reference="experiment~single_dni/method~bprop"), [], results)["feedforward"]
    assert row["command"].endswith("config/paper.yaml feedforward single_dni")


def test_an_inconclusive_run_wants_more_replicas(tmp_path):
    """A complete run of the paper's preset that decides nothing: the way to go on is a larger number of replicas."""
    results = tmp_path / "paper"
    write_run(results, seeds=(0,))
    draw(results, "claims")
    rows = missing_runs(claims_with_headings(results), all_runs(results), results)["feedforward"]
    (row,) = [row for row in rows if row["id"].endswith("mnist-model-fcn-depth-4-method-dni-torch")]
    assert row["how"] == "complete: raise `replicas` in config/paper.yaml, then"


def test_stand_ins_are_announced_first(stand_ins, page):
    text = Page(stand_ins).text
    assert "What the paper says in words" in text.partition("How many published numbers have which verdict")[0]
    assert "What the paper says in words" not in page.text.partition("How many published numbers have which verdict")[0]
    head = text.partition("What the paper says")[0]
    assert "STAND-IN DATA: not MNIST but scikit-learn's 8x8 digits" in head
    assert "Nothing here is comparable with the paper." in head
    assert "hidden_units = 64 (paper: 256) 4 feedforward" in text
    assert "STAND-IN" not in page.text and "Nothing here is comparable" not in page.text


def test_the_same_files_give_the_same_bytes(results):
    for suffix, content in registry.module("report").make(results).items():
        assert (results / "report.html").with_suffix(suffix).read_bytes() == content


def test_verify_knows_the_report(results, tmp_path, capsys):
    assert main(["verify", str(results / "report.html"), str(results / "report.json")]) == 0
    edited = tmp_path / "report.html"
    edited.write_text((results / "report.html").read_text().replace("1 diverged", "0 diverged"))
    assert main(["verify", str(edited), "--results", str(results)]) == 1
    assert "edited" in capsys.readouterr().out


def test_it_wants_the_claims_first(tmp_path):
    write_run(tmp_path, iterations=100)
    with pytest.raises(UserError, match=r"python -m paper_figures claims --results"):
        registry.module("report").make(tmp_path)
    with pytest.raises(UserError, match=r"nowhere: no such folder"):
        registry.module("report").make(tmp_path / "nowhere")


def test_every_drawing_has_a_section():
    names = [name for name in registry.names() if name not in registry.OTHERS]
    assert sorted(name for part in by_section(names).values() for name in part) == names
    assert list(by_section(names))[-1] == ADDITIONS
    assert set(read_claims()["artifact"]) <= set(section_by_artifact())
    assert section_of("fig_underfitting") == section_of("table_feedforward") == "Every layer DNI"
    assert section_of("fig_bp_lambda") == ADDITIONS


def test_labels_say_what_is_in_a_file(results):
    assert labels(results, "fig_feedforward_curves") == {
        "name": "fig_feedforward_curves",
        "data set": "MNIST",
        "method": "No backprop, Backprop, DNI, cDNI",
        "framework": "PyTorch, JAX",
        "verdict": "none",
    }
    table = labels(results, "table_feedforward")
    assert (table["data set"], table["framework"]) == ("MNIST", "PyTorch, JAX")
    assert {"1 reproduced", "1 differs (worse)"} <= set(table["verdict"].split(", "))
