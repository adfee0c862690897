"""The blocks of README.md and docs/experiments*.md and the headers of experiments: up to date and correct."""

import ast
import re

import pytest

from impls.errors import UserError
from impls.registry import experiments, spec_class
from paper_figures import registry
from paper_figures.publish.readme_blocks import PAGES, RESULTS, main, rewrite
from paper_figures.publish.summary import MOST, Summary
from paper_figures.runs import ROOT
from tests.support.runs_on_disk import write_run

EXPERIMENT_PAGES = "".join(path.read_text() for path in (ROOT / "docs").glob("experiments*.md"))
PLAIN = ROOT / "page.md"  # where links are relative to; no such file is needed
FOUR = "MNIST, fully connected, 4 layers, DNI"


@pytest.fixture(scope="module")
def published():
    return Summary()


def block(name, content="\n"):
    return f"before\n<!-- {name}: begin -->{content}<!-- {name}: end -->\nafter\n"


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def made(name, results):
    return rewrite(block(name), PLAIN, Summary(results))


@pytest.mark.parametrize("page", PAGES)
def test_pages_tell_what_the_published_runs_show_now(page, published):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "begin -->" in text or RESULTS in text
    assert rewrite(text, ROOT / page, published) == text, f"{page} is out of date: run `snakemake readme`"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    missing = [link for link in links if link and not ((ROOT / page).parent / link).exists()]
    assert not missing


# In the prose of docs/findings.md: lengths of training and sizes, which no run can give.
SETTINGS = re.compile(
    r"T = \d+|[\d,]+ (?:iterations|updates)\b|2\.5 million iterations|of 256 units|256 times smaller|factor 1\b"
)


def prose(page):
    """The text of a page without generated blocks, commands and the targets of links."""
    text = (ROOT / page).read_text(encoding="utf-8")
    text = re.sub(r"<!-- ([\w ]+): begin -->.*?<!-- \1: end -->", "", text, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)|`[^`]+`", "", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def test_no_number_that_a_run_gives_is_typed_into_the_findings():
    text = " ".join(prose("docs/findings.md").split())
    assert re.findall(r"\S*\d\S*", SETTINGS.sub("", text)) == []


def test_the_readme_is_one_page():
    assert len(prose("README.md").split()) < 560


@pytest.mark.parametrize("page", [page for page in PAGES if "experiments" in page and page.endswith(".md")])
def test_no_result_is_typed_into_the_pages_of_experiments(page):
    results = re.findall(r"\d+(?:\.\d+)?%|\d+\.\d+", prose(page))
    assert set(results) <= {"0.1"}  # the factor of a synthetic gradient


def test_every_artifact_and_every_choice_is_on_a_page_of_experiments():
    drawn = [name for name in registry.names() if name not in registry.OTHERS]
    assert [name for name in drawn if name not in EXPERIMENT_PAGES] == []
    choices = {
        name
        for experiment in experiments()
        for name, field in spec_class(experiment).model_fields.items()
        if (field.json_schema_extra or {}).get("mark") == "choice"
    }
    assert [name for name in sorted(choices) if f"`{name}`" not in EXPERIMENT_PAGES] == []


def test_numbers_counts_and_verdicts_are_those_of_the_runs(tmp_path):
    write_run(tmp_path / "cpu", final=[2.15, 2.2, 2.25])
    write_run(tmp_path / "cpu", "jax", final=[5.0, 5.0, 5.1])
    text = made("results", tmp_path)
    numbers = [cells(line)[1:] for line in text.splitlines() if f" {FOUR} |" in line]
    assert numbers == [
        [FOUR, "2.2 percent", "PyTorch", "2.20 ± 0.12", "3", "0.83", "reproduced"],
        [FOUR, "2.2 percent", "JAX", "5.03 ± 0.14", "3", "0.96", "differs (worse)"],
    ]
    short = made("headline", tmp_path)
    assert (
        f"| {FOUR} | 2.2 percent | 2.20 ± 0.12 (3) reproduced, resolves 0.83 | 5.03 ± 0.14 (3) differs (worse)" in short
    )
    assert "and 53 findings that it states, 9 could be judged so far" in short, "the table's, and those of the curve"
    unknown = r"of 333 claims, in PyTorch (\d+) missing and 0 not comparable; in JAX \1 missing and 0 not comparable"
    assert re.search(unknown, text) and "(docs/verdicts.md#all-verdicts)" in text
    assert text.startswith("before\n") and text.endswith("after\n")
    text = made("counts", tmp_path)
    (counts,) = [line for line in text.splitlines() if line.startswith("| Every layer DNI, table of")]
    assert cells(counts)[1:] == ["48", "1 / 0", "", "0 / 1", "", "", "47 / 47"]
    assert "333 claims. PyTorch: 4 reproduced, 1 consistent, 3 differs, 1 inconclusive, 324 missing. JAX: " in text


def test_the_frameworks_are_never_added_up(tmp_path):
    """Three seeds in both are three replicas, and one claim."""
    for framework in ("torch", "jax"):
        write_run(tmp_path / "cpu", framework, final=[2.15, 2.2, 2.25])
    text = made("results of table_feedforward", tmp_path)
    assert "48 published numbers. PyTorch and JAX: 1 reproduced, 47 missing each." in text
    both = made("results", tmp_path) + made("counts", tmp_path)
    assert "(6)" not in both and "666" not in both and "2 reproduced" not in both


def test_the_header_of_an_experiment_has_its_runs_and_its_best_number(tmp_path):
    write_run(tmp_path / "cpu", final=[2.15, 2.2, 2.25])
    write_run(tmp_path / "cpu", "jax", depth=3, final=[1.9, 2.0], seeds=(0, 1))
    summary, header = Summary(tmp_path), ROOT / "impls/experiments/feedforward/__init__.py"
    text = rewrite('"""Nets.\n\nA reason.\n"""\n', header, summary)
    assert text.startswith('"""Nets.\n\nA reason.\n\nPublished results, written by `snakemake readme`: 2 runs. Data: ')
    assert f"{FOUR}: paper 2.2 percent; PyTorch 2.20 ± 0.12 (3) reproduced, resolves 0.83; JAX missing." in " ".join(
        text.split()
    )
    assert rewrite(text, header, summary) == text
    assert ast.get_docstring(ast.parse(text)) and max(map(len, text.splitlines())) <= 120
    two_network = (ROOT / "impls/experiments/two_network/__init__.py").read_text()
    assert "paper at most 0.5;" in " ".join(two_network.split())
    unlock = rewrite('"""Sparse."""\n', header.parents[1] / "unlock/__init__.py", summary)
    assert unlock == '"""Sparse.\n\nPublished results, written by `snakemake readme`: none yet.\n"""\n'


def test_findings_are_told_apart_from_numbers(tmp_path):
    for depth, final in ((3, [1.9, 1.9, 2.0]), (6, [4.2, 4.3, 4.3])):
        write_run(tmp_path / "cpu", depth=depth, final=final)
    text = made("findings of Every layer DNI", tmp_path)
    (row,) = [line for line in text.splitlines() if line.startswith("| worse with depth")]
    assert cells(row)[0] == "worse with depth: MNIST, fully connected, 6 layers, DNI"
    assert cells(row)[1].startswith("at least 0.05 ") and "reproduced" in cells(row)[2]
    assert "worse with depth" in made("results", tmp_path)
    assert "worse with depth" not in made("results of table_feedforward", tmp_path)


def test_the_run_that_came_furthest_speaks_whatever_it_says(tmp_path):
    write_run(tmp_path / "short", final=[2.15, 2.2, 2.25], reached=100_000)
    write_run(tmp_path / "whole", final=[5.0, 5.0, 5.1])
    ours = "PyTorch | 5.03 ± 0.14 | 3 | 0.96 | differs (worse) |"
    assert f"| {FOUR} | 2.2 percent | {ours}" in made("results", tmp_path)
    write_run(tmp_path / "wide", final=[3.0, 3.0, 3.1, 3.1], seeds=(0, 1, 2, 3))
    ours = "PyTorch | 3.05 ± 0.09 | 4 | 0.68 | differs (worse) |"
    assert f"| {FOUR} | 2.2 percent | {ours}" in made("results", tmp_path)


def test_what_is_not_comparable_says_why(tmp_path):
    write_run(tmp_path / "cpu", final=[2.15, 2.2, 2.25], reached=100_000)
    text = made("results of table_feedforward", tmp_path)
    assert "Not comparable: 100000 of 500000 iterations." in text
    assert f"| {FOUR} | 2.2 percent | 2.20 ± 0.12 (3) not comparable |  |" in text
    assert "No run at the paper's size yet." in made("results of text_deep", tmp_path)


def test_no_page_lists_more_than_a_few_numbers_of_one_artifact(tmp_path):
    for depth in (3, 4, 5, 6):
        for method in ("bprop", "dni", "cdni"):
            write_run(tmp_path / "cpu", depth=depth, method=method)
    assert made("results of table_feedforward", tmp_path).count("\n| MNIST") == MOST


def test_a_picture_is_shown_where_it_shows_our_runs(tmp_path):
    write_run(tmp_path / "cpu", iterations=100)
    figure = tmp_path / "cpu/figures/fig_underfitting.png"
    figure.parent.mkdir()
    figure.touch()
    for sources, shown in (("source\n", "quick"), ("source\npaper\n", "quick"), ("source\npaper\njax\n", "cpu")):
        figure.with_suffix(".csv").write_text(sources)
        assert f"{shown}/figures/fig_underfitting.png" in made("picture of fig_underfitting", tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (block("result"), "unknown block 'result'"),
        (block("results of fig_nothing"), "no claim of claims.csv is about it"),
        (block("findings of Nothing"), "no finding of claims.csv is of a section"),
        ("<!-- results: begin -->\n", "'results' has no end"),
        ("<!-- results: end -->\n", "has no partner"),
        ("<!-- results: begin -->\n<!-- picture of fig_x: end -->\n", "has no partner"),
    ],
)
def test_wrong_markers_are_named(text, words, published):
    with pytest.raises(UserError, match=words):
        rewrite(text, PLAIN, published)


def test_check_finds_a_stale_page_and_writes_nothing(tmp_path, capsys):
    write_run(tmp_path / "runs/cpu", iterations=100)
    page, results = tmp_path / "page.md", ["--results", str(tmp_path / "runs")]
    page.write_text(stale := block("results", "\n7 reproduced\n"))
    assert main([str(page), "--check", *results]) == 1
    assert page.read_text() == stale
    assert (
        "out of date" in (said := capsys.readouterr()).out
        and "python -m paper_figures.publish.readme_blocks" in said.err
    )
    assert main([str(page), *results]) == 0 and main([str(page), "--check", *results]) == 0


def test_no_published_run_is_one_clear_error(tmp_path, capsys):
    assert main(["--results", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}: holds no run; it is where the committed results stand.\n"
