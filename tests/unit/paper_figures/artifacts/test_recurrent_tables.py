"""The tables of the recurrent nets."""

import re

import pytest

from paper_figures import registry
from paper_figures.drawing import captions
from paper_figures.runs import read_runs
from tests.support.recurrent_runs import (
    REACHES,
    REFERENCE,
    TABLES,
    lines_of,
    write_copy,
    write_pair,
    write_ptb,
)
from tests.support.table_assertions import assert_braces_match


def test_the_table_has_the_papers_41_numbers_each_in_its_place(tmp_path):
    headings, _, *lines = lines_of(tmp_path)
    lengths = ["T = 2", "T = 3", "T = 4", "T = 5", "T = 8", "T = 20", "T = 40"]
    assert headings == ["Data", "Unit", "Method", "From", *lengths]
    papers = [line for line in lines if line[3] == "paper"]
    assert [line[:3] for line in papers] == [
        [name, unit, method]
        for name, unit in (("Copy", "time steps ↑"), ("Repeat Copy", "time steps ↑"), ("Penn Treebank", "bits ↓"))
        for method in ("BPTT", "DNI", "DNI + Aux")
    ]
    assert [line[4:] for line in papers[::3]] == [
        ["7", "8", "10", "8", "", "", ""],
        ["7", "5", "19", "23", "", "", ""],
        ["1.39", "1.38", "1.37", "1.37", "1.35", "1.35", "1.34"],
    ]
    assert sum(bool(cell) for line in papers for cell in line[4:]) == 41
    ours = [line[4:] for line in lines if line[3] != "paper"]
    assert sum(cell == "missing" for line in ours for cell in line) == 82


def test_the_table_prints_each_result_in_its_own_unit_and_way(tmp_path):
    write_copy(tmp_path, solved=[14, 14, 14])
    write_ptb(
        tmp_path,
        valid=[[5, 1.35, 1.4], [5, 1.351, 1.4], [5, 1.352, 1.4]],
        test=[[5, 1.35 + i / 1000, 2] for i in range(3)],
    )
    _, _, *lines = lines_of(tmp_path)
    cells = {cell for line in lines if line[3] == "PyTorch" for cell in line[4:]}
    copied, text = "14.0 [14.0, 14.0] (3) reproduced", "1.351 ± 0.002 (3) reproduced, also fits DNI + Aux"
    assert cells == {"", "missing", f"{copied}, resolves 2.0", f"{text}, resolves 1.4"}
    text = registry.module("table_rnn").make(tmp_path)[".md"].decode()
    assert "Data: Copy (generated from the seed, as in the paper); Penn Treebank (original)." in text
    assert "Preset paper; 10,000 to 2,500,000 iterations." in text and "one step is the margin" in text


@pytest.mark.parametrize("name", TABLES)
def test_tex_is_ascii_balanced_and_rectangular(tmp_path, name):
    write_copy(tmp_path, diverged={0: 10})
    write_ptb(tmp_path, "jax", "dni_aux")
    text = registry.module(name).make(tmp_path)[".tex"].decode("ascii")
    assert_braces_match(text)
    widths = []
    for tabular in text.split(r"\begin{tabular}{@{}")[1:]:  # not those inside cells
        body = tabular.split(r"\midrule")[1].split(r"\bottomrule")[0]
        (ampersands,) = {line.count(" & ") for line in body.splitlines() if line.endswith(r" \\")}
        widths.append(ampersands + 1)
        assert len(re.match("l+c+", tabular)[0]) == widths[-1]
    # A part of the table for each unit, with the columns that are not empty in it, and the unit above them.
    assert widths == ([7, 10] if name == "table_rnn" else [5])
    if name == "table_rnn":
        assert r"\multicolumn{7}{@{}l}{time steps $\uparrow$}" in text
        assert re.search(r"14.5 \[.*\] \(2 of 3\)\\\\{\\scriptsize differs \(worse\)}", text)
        assert "In brackets (2 of 3): one of three replicas diverged" in " ".join(text.split())


def test_text_ptb_shows_both_results_and_the_share(tmp_path):
    write_pair(tmp_path, [REACHES] * 2, [REFERENCE] * 2, framework="jax")
    headings, _, paper, torch, jax = lines_of(tmp_path, "text_ptb")
    assert headings[2:] == ["BPTT, T = 20: bits", "DNI + Aux, T = 5: bits", "Share of the data"]
    assert paper == ["Penn Treebank", "paper", "1.35", "1.35", "0.58"]
    assert torch[2:] == ["missing"] * 3
    assert [cell.partition(" (")[0] for cell in jax[2:]] == ["1.350 ± 0.000", "1.325 ± 0.000", "0.46 ± 0.00"]
    stamped = registry.module("text_ptb").make(tmp_path)[".md"].decode()
    assert ", 2 runs" in stamped  # the reference's, too


# What is said of the data.


def test_generated_data_is_no_stand_in_and_is_named(tmp_path):
    write_copy(tmp_path, dataset="repeat_copy", solved=[4, 4, 4])
    write_copy(tmp_path)
    runs = read_runs(tmp_path, "recurrent")
    assert not any(run.stand_in for run in runs)
    genuine = "Copy, Repeat Copy (generated from the seed, as in the paper)"
    assert captions.data_line(runs) == f"Data: {genuine}."
    write_ptb(tmp_path, stand_in=True)
    runs = read_runs(tmp_path, "recurrent")
    assert [run.stand_in for run in runs] == [run.cell["dataset"] == "ptb" for run in runs]
    stand_in = "not Penn Treebank but text of a Markov chain over 50 symbols"
    assert captions.data_line(runs) == f"STAND-IN DATA in 1 of 3 runs: {stand_in}; other data: {genuine}."
