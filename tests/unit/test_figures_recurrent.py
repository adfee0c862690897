"""The recurrent nets: the ladder of task lengths, early stopping, the share of the data, their tables and figures."""

import io
import itertools
import json
import math
import re

import numpy as np
import pandas as pd
import pytest

from paper_figures import artifacts, captions, style
from paper_figures.ladder import LADDERS, to_lengths, to_steps
from paper_figures.measures import early_stops
from paper_figures.runs import read_runs
from tests.unit.test_figures_claims import judged, row
from tests.unit.test_figures_curves import assert_legible, notes
from tests.unit.test_figures_runs import write_files

# Counted by hand: N + 3; N * R + 3 with N = 1, 2, 2, 3, 3, ... and R = 1, 1, 2, 2, 3, ...
RUNGS = {
    "copy": [0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21],
    "repeat_copy": [0, 4, 5, 7, 9, 12, 15, 19, 23, 28, 33, 39, 45, 52, 59, 67, 75, 84, 93],
}
ENTROPY_RATE = 2.31
FIGURES = ("fig_copy_progress", "fig_ptb_curves", "fig_boundary_quality")
TABLES = ("table_rnn", "text_ptb")
QUALITY = list(itertools.product(("explained_variance", "cosine_similarity"), ("read", "write")))
NOT_THE_PAPERS = {"preset": "quick", "differs_from_paper": ["hidden_units = 32 (paper: 256)"]}


def write_recurrent(results, framework, cell, rows, seeds, iterations, reached, stand_in=False, facts=None, **record):
    """Writes one run; `rows` are (replica, iteration, split, metric, value)."""
    frame = pd.DataFrame(rows, columns=["replica", "iteration", "split", "metric", "value"])
    frame["seed"] = [seeds[replica] for replica in frame["replica"]]
    text = cell["dataset"] == "ptb"
    data = {
        "name": cell["dataset"],
        "source": "stand-in" if stand_in else "original" if text else "generated",
        "description": "stand-in: text of a Markov chain over 50 symbols" if stand_in else "one line",
        "files": {"ptb.train.txt": "0" * 64},
        **({} if facts is None else {"facts": facts}),
    }
    kept = {
        "spec": {**cell, "iterations": iterations, "batch_size": 256},
        "seeds": list(seeds),
        "preset": "paper",
        "status": "complete" if reached == iterations else "partial",
        "iteration_reached": reached,
        "iterations": iterations,
        "diverged_seeds": sorted(set(frame.loc[~np.isfinite(frame["value"]), "seed"].tolist())),
        "differs_from_paper": [],
        "changed_choices": [],
        "data": [data],
        **record,
    }
    return write_files(results, framework, "recurrent", cell, frame, **kept)


def write_copy(
    results,
    framework="torch",
    dataset="copy",
    method="dni",
    length=3,
    solved=(14, 14, 15),
    iterations=2_500_000,
    reached=None,
    seeds=(0, 1, 2),
    diverged=None,
    **record,
):
    """A run of Copy or Repeat Copy.

    Args:
        solved: the longest task that each replica solves, one for each of `seeds`.
        diverged: by replica, the iteration at which it diverges.
    """
    cell = {"dataset": dataset, "model": "lstm", "method": method, "truncation_length": length}
    reached = iterations if reached is None else reached
    evaluated = np.linspace(0, reached, 21).astype(int)
    rows = []
    for replica, longest in enumerate(solved):
        end = (diverged or {}).get(replica, math.inf)
        rows.append((replica, 0, "curriculum", "max_solved_task_length", 0))
        rows += [
            (replica, iteration, "curriculum", "max_solved_task_length", task)
            for iteration, task in promotions(dataset, longest, reached, replica)
            if iteration < end
        ]
        batch = {"bits_per_character": lambda share: 3 - share, "task_length": lambda share: 5}
        if method != "bptt":
            batch |= {
                f"{measure}.{phase}": lambda share, top=0.6 if phase == "write" else 0.2: (
                    top * share - 0.8 * (share == 0)
                )
                for measure, phase in QUALITY
            }
        for metric, iteration in itertools.product(batch, evaluated):
            value = batch[metric](iteration / reached) if iteration < end else math.nan
            rows.append((replica, iteration, "batch", metric, value))
    return write_recurrent(results, framework, cell, rows, seeds, iterations, reached, **record)


def promotions(dataset, longest, reached, replica=0):
    """(iteration, task length) of every promotion; the climb slows down."""
    top = RUNGS[dataset].index(longest)
    return [(reached * step**2 // (top + 1) ** 2 + replica + 1, RUNGS[dataset][step]) for step in range(1, top + 1)]


def write_ptb(results, framework="torch", method="dni", length=5, valid=None, test=None, every=5_000, **record):
    """A run on Penn Treebank: [replicas][evaluations] of validation and test bits; the last is where training ended."""
    valid = curves(method, length) if valid is None else valid
    test = np.asarray(valid) + 0.01 if test is None else test
    cell = {"dataset": "ptb", "model": "lstm", "method": method, "truncation_length": length}
    rows = [
        (replica, number * every, split, "bits_per_character", bits)
        for split, values in (("valid", valid), ("test", test))
        for replica, curve in enumerate(values)
        for number, bits in enumerate(curve)
    ]
    reached = every * (len(valid[0]) - 1)
    record = {"iterations": 2_500_000, "status": "complete", "seeds": tuple(range(len(valid))), **record}
    return write_recurrent(results, framework, cell, rows, reached=reached, **record)


def curves(method, length, floor=1.33, evaluations=20, replicas=3):
    """Validation bits that fall, dni's faster than bptt's, and rise at the last evaluation."""
    rate = (1 if method == "bptt" else 1.4) * length / 60
    falling = floor + 0.1 / length + (5.6 - floor) * np.exp(-np.sqrt(rate * 8 * np.arange(evaluations)))
    falling[-1] = falling[-2] + 0.01
    return [list(falling * (1 + 0.003 * replica)) for replica in range(replicas)]


def points_of(results, name):
    return pd.read_csv(io.BytesIO(artifacts.module(name).make(results)[".csv"]))


def lines_of(results, name="table_rnn"):
    """The lines of the printed table, split into cells, headings and rule first."""
    lines = artifacts.module(name).make(results)[".md"].decode().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]


@pytest.fixture
def draw(monkeypatch, tmp_path):
    """draw(artifact[, results]) -> (figure, points, caption), by default of tmp_path; the images are not made."""

    def drawing(artifact, results=tmp_path):
        figures = []
        with monkeypatch.context() as patch:
            patch.setattr(style, "save", lambda figure, *_: figures.append(figure) or {})
            written = artifacts.module(artifact).make(results)
        (figure,) = figures
        return figure, pd.read_csv(io.BytesIO(written[".csv"])), json.loads(written[".json"])["caption"]

    return drawing


# The ladder.


@pytest.mark.parametrize("dataset", RUNGS)
def test_the_ladders_rungs_are_one_step_apart(dataset):
    rungs = RUNGS[dataset]
    assert list(LADDERS[dataset][: len(rungs)]) == rungs
    assert list(to_steps(dataset, rungs)) == list(range(len(rungs)))
    assert list(to_lengths(dataset, np.arange(len(rungs)))) == rungs
    assert np.isnan(to_steps(dataset, math.nan)) and np.isnan(to_lengths(dataset, math.nan))
    assert to_lengths(dataset, -2.5) == 0


def test_a_mean_between_two_rungs_is_a_length_between_theirs():
    assert to_lengths("repeat_copy", 14.5) == 63 and to_steps("repeat_copy", 63) == 14.5


@pytest.mark.parametrize(
    ("dataset", "method", "length", "solved", "word"),
    [
        # The paper has 5, which is two steps up: its neighbours are 4 and 7.
        ("repeat_copy", "bptt", 3, [5, 5, 5], "reproduced"),
        ("repeat_copy", "bptt", 3, [4, 4, 4], "reproduced"),
        ("repeat_copy", "bptt", 3, [7, 7, 7], "reproduced"),
        ("repeat_copy", "bptt", 3, [9, 9, 9], "differs (better)"),
        ("repeat_copy", "bptt", 3, [0, 0, 0], "differs (worse)"),
        # 67: its neighbours are 59 and 75, eight time steps away.
        ("repeat_copy", "dni_aux", 4, [59, 59, 59], "reproduced"),
        ("repeat_copy", "dni_aux", 4, [75, 75, 75], "reproduced"),
        ("repeat_copy", "dni_aux", 4, [52, 52, 52], "differs (worse)"),
        ("repeat_copy", "dni_aux", 4, [84, 84, 84], "differs (better)"),
        # 14: 13 and 15.
        ("copy", "dni", 3, [13, 13, 13], "reproduced"),
        ("copy", "dni", 3, [15, 15, 15], "reproduced"),
        ("copy", "dni", 3, [12, 12, 12], "differs (worse)"),
        ("copy", "dni", 3, [16, 16, 16], "differs (better)"),
        ("copy", "dni", 3, [14, 15, 14], "consistent"),
        ("copy", "dni", 3, [14] * 9 + [15], "reproduced"),
        ("copy", "dni", 3, [15] * 9 + [14], "consistent"),  # not shown to lie within a step, but near enough
        ("copy", "dni", 3, [16] * 9 + [17], "differs (better)"),
        ("copy", "dni", 3, [14], "inconclusive"),
    ],
)
def test_the_margin_is_one_curriculum_step(tmp_path, dataset, method, length, solved, word):
    write_copy(tmp_path, "torch", dataset, method, length, solved, seeds=range(len(solved)))
    found = row(judged(tmp_path), claim=f"table_rnn/{dataset}/lstm/{method}/truncation_length~{length}")
    assert (found["verdict"], found["n"]) == (word, len(solved))
    assert found["why"].startswith("in curriculum steps: ") and found["ours_iteration"] == 2_500_000


def test_intervals_are_computed_in_steps_and_shown_as_task_lengths(tmp_path):
    write_copy(tmp_path, "jax", "repeat_copy", "dni", 5, [52, 59, 67])
    found = row(judged(tmp_path), "jax", "table_rnn/repeat_copy/lstm/dni/truncation_length~5")
    half = 4.302653 / math.sqrt(3)  # 14 steps, with a standard deviation of 1
    assert found["ours"] == 59
    assert found["low"] == pytest.approx(to_lengths("repeat_copy", 14 - half), rel=1e-5)
    assert found["high"] == pytest.approx(to_lengths("repeat_copy", 14 + half), rel=1e-5)
    assert found["high"] - found["ours"] > 1.1 * (found["ours"] - found["low"])
    _, _, *lines = lines_of(tmp_path)
    (cell,) = {cell for line in lines for cell in line if "consistent" in cell or "reproduced" in cell}
    assert cell == f"59.0 [{found['low']:.1f}, {found['high']:.1f}] (3) {found['verdict']}"


def test_a_climb_counts_up_to_the_claims_iteration(tmp_path):
    """What is solved later than that does not; a run cut short is not comparable and shows what it has."""
    claim = "table_rnn/copy/lstm/dni/truncation_length~3"
    write_copy(tmp_path / "long", solved=[20, 20, 20], iterations=5_000_000)
    table = promotions("copy", 20, 5_000_000)
    expected = max(task for iteration, task in table if iteration <= 2_500_000)
    found = row(judged(tmp_path / "long"), claim=claim)
    assert found["ours"] == expected < 20 and found["verdict"] != "not comparable"
    write_copy(tmp_path / "short", solved=[8, 8, 9], reached=100_000)
    found = row(judged(tmp_path / "short"), claim=claim)
    assert (found["verdict"], found["why"]) == ("not comparable", "100000 of 2500000 iterations")
    assert found["ours"] == pytest.approx(8 + 1 / 3) and found["ours_iteration"] == 100_000


def test_a_replica_that_diverged_has_no_task_length(tmp_path):
    write_copy(tmp_path, diverged={1: 1_000_000})
    found = row(judged(tmp_path), claim="table_rnn/copy/lstm/dni/truncation_length~3")
    assert (found["verdict"], found["n"], found["n_diverged"]) == ("differs (worse)", 2, 1)
    assert found["why"] == "in curriculum steps: 1 of 3 replicas diverged" and found["ours"] == 14.5
    assert read_runs(tmp_path, "recurrent")[0].diverged_at() == {1: 1_000_000}


# Early stopping.

STOPS = {
    "first rise": ([5.0, 2.0, 1.5, 1.6], 10_000, True),
    "no rise yet": ([5.0, 2.0, 1.5, 1.4], 15_000, False),
    "rises, then falls lower": ([5.0, 2.0, 2.1, 1.3], 5_000, True),
    "equal is no rise": ([5.0, 2.0, 2.0, 2.1], 10_000, True),
    "rises at once": ([5.0, 5.1, 1.0, 0.9], 0, True),
    "diverged before a rise": ([5.0, 2.0, math.nan, math.nan], 15_000, False),
    "diverged after it": ([5.0, 2.0, 2.1, math.nan], 5_000, True),
}


@pytest.mark.parametrize("case", STOPS)
def test_the_best_snapshot_is_the_one_before_the_first_rise(case):
    valid, best, risen = STOPS[case]
    iterations, rises = early_stops(pd.DataFrame({7: valid}, index=[0, 5_000, 10_000, 15_000]))
    assert (iterations[7], rises[7]) == (best, risen)


PTB_CLAIM = "table_rnn/ptb/lstm/dni/truncation_length~5"


def test_a_replicas_result_is_the_test_error_of_its_own_best_snapshot(tmp_path):
    """Each stops at its own place; a run that ended by the rule is as good as one that ran its length."""
    valid = [STOPS[case][0] for case in ("first rise", "rises, then falls lower", "diverged after it")]
    test = [[5, 2, 1.36, 9], [5, 1.35, 9, 1.2], [5, 1.34, 9, math.nan]]
    write_ptb(tmp_path, valid=valid, test=test)
    found = row(judged(tmp_path), claim=PTB_CLAIM)
    assert (found["verdict"], found["n"], found["n_diverged"]) == ("consistent", 3, 0)
    assert found["ours"] == pytest.approx(1.35) and found["ours_iteration"] == 10_000
    write_ptb(tmp_path, length=4, valid=[valid[0]] * 3, test=[[5, 2, 1.35 + i / 1000, 9] for i in range(3)])
    assert row(judged(tmp_path), claim=PTB_CLAIM.replace("~5", "~4"))["verdict"] == "reproduced"


def test_a_training_that_has_not_risen_is_not_comparable(tmp_path):
    valid = [STOPS[case][0] for case in ("first rise", "no rise yet", "no rise yet")]
    test = [[5, 2, 1.3, 9], [5, 2, 1.5, 1.4], [5, 2, 1.5, 1.5]]
    write_ptb(tmp_path, valid=valid, test=test, iterations=15_000)  # "complete", and still not at its end
    found = row(judged(tmp_path), claim=PTB_CLAIM)
    assert found["verdict"] == "not comparable"
    assert found["why"] == "2 of 3 replicas' validation had not risen by iteration 15000"
    assert found["ours"] == pytest.approx(1.4) and found["ours_iteration"] == 15_000


def test_a_replica_that_diverged_before_its_stop_is_counted(tmp_path):
    valid = [STOPS[case][0] for case in ("first rise", "first rise", "diverged before a rise")]
    write_ptb(tmp_path, valid=valid, test=[[5, 2, 1.35, 9], [5, 2, 1.35, 9], [5, 2, math.nan, math.nan]])
    found = row(judged(tmp_path), claim=PTB_CLAIM)
    assert (found["verdict"], found["n"], found["n_diverged"]) == ("differs (worse)", 2, 1)


def test_without_validation_there_is_no_snapshot(tmp_path):
    run = write_ptb(tmp_path)
    frame = pd.read_parquet(run / "curves.parquet")
    frame[frame["split"] == "test"].to_parquet(run / "curves.parquet")
    found = row(judged(tmp_path), claim=PTB_CLAIM)
    assert (found["verdict"], found["why"]) == ("missing", "valid bits_per_character was not recorded")


# The paper's curves: iteration = x / T.


@pytest.mark.parametrize(
    ("every", "iteration", "expected"),
    [
        (5_000, 20_000, 1.46),  # evaluated there
        (5_000, 16_000, 1.492),  # a fifth of the way from 15,000 to 20,000
        (5_000, 38_000, None),  # after the end
        (6_000, 16_000, None),  # the evaluations around it are further apart than the paper's
    ],
)
def test_a_point_of_the_papers_plot_is_read_between_evaluations(tmp_path, every, iteration, expected):
    valid = [[1.9, 1.8, 1.7, 1.5, 1.46, 1.47]] * 3
    write_ptb(tmp_path, "torch", "bptt", 20, valid=valid, test=valid, every=every)
    found = row(judged(tmp_path), claim=f"fig_ptb_curves/ptb/lstm/bptt/truncation_length~20/{iteration}")
    if expected:
        assert (found["ours"], found["ours_iteration"]) == (pytest.approx(expected), iteration)
        assert found["verdict"] == "differs (worse)"
    elif every == 5_000:
        assert (found["verdict"], found["ours"]) == ("not comparable", pytest.approx(1.47))
        assert found["why"] == "25000 of 38000 iterations, stopped by its own rule"
    else:
        assert found["verdict"] == "missing" and "within 5000 iterations on both sides of 16000" in found["why"]


# Two runs in one claim.

FRACTION = "text_ptb/ptb/lstm/dni_aux/truncation_length~5"
REFERENCE = [2.0, 1.6, 1.4, 1.35, 1.36]  # bptt, T = 20: its best at 15,000 iterations
REACHES = [2.0, 1.7, 1.5, 1.45, 1.40, 1.375, 1.325, 1.33]  # 1.35 between 25,000 and 30,000: at 27,500


def write_pair(results, own, reference, framework="torch", **changes):
    write_ptb(results, framework, "dni_aux", 5, valid=own, test=own, **{"seeds": range(len(own)), **changes})
    write_ptb(results, framework, "bptt", 20, valid=reference, test=reference)


def test_the_share_of_the_data_is_that_of_pairs_of_one_seed(tmp_path):
    other = [bits + 0.05 for bits in REFERENCE]  # its goal is 1.40, which the second replica reaches at 20,000
    write_pair(tmp_path, [REACHES, REACHES], [REFERENCE, other])
    found = row(judged(tmp_path), claim=FRACTION)
    first, second = 27_500 * 5 / (15_000 * 20), 20_000 * 5 / (15_000 * 20)
    assert found["ours"] == pytest.approx((first + second) / 2, rel=1e-5) and found["n"] == 2
    assert found["ours_iteration"] == 27_500 and found["verdict"] == "consistent"
    assert "dni_aux/truncation_length~5" in found["run"]
    # The seeds the other way round: the pairs follow them.
    write_pair(tmp_path / "turned", [REACHES, REACHES], [REFERENCE, other], seeds=(1, 7))
    found = row(judged(tmp_path / "turned"), claim=FRACTION)
    assert (found["n"], found["ours"]) == (1, pytest.approx(second, rel=1e-5))


def test_a_share_within_the_margin_is_reproduced(tmp_path):
    falls = [[2.0, 1.7, 1.35, 1.36]] * 3  # to 1.35 at 10,000
    # To it between 20,000 and 25,000.
    own = [[2.0, 1.8, 1.6, 1.5, 1.35 + 0.1 * s, 1.25 + 0.1 * s, 1.2, 1.3] for s in (0.5, 0.64, 0.8)]
    write_pair(tmp_path, own, falls)
    found = row(judged(tmp_path), claim=FRACTION)
    assert found["verdict"] == "reproduced"
    assert found["ours"] == pytest.approx((22_500 + 23_200 + 24_000) / 3 * 5 / (10_000 * 20), rel=1e-5)


@pytest.mark.parametrize(
    ("own", "reference", "changes", "verdict", "why"),
    [
        ([REACHES] * 2, None, {}, "missing", "no run of method~bptt/truncation_length~20 to compare with"),
        ([REFERENCE] * 2, [REACHES] * 2, {}, "differs (worse)", "2 of 2 replicas never came so low"),
        (
            [[2.0, 1.5, 1.36, 1.37, 1.30]] * 2,
            [REFERENCE] * 2,
            {},
            "differs (worse)",
            "2 of 2 replicas never came so low",
        ),
        ([REACHES[:-1]] * 2, [REFERENCE] * 2, {}, "not comparable", "2 of 2 replicas' validation had not risen"),
        ([REACHES] * 2, [REFERENCE[:-1]] * 2, {}, "not comparable", "2 of 2 replicas' validation had not risen"),
        ([REACHES], [[2.0, math.nan]], {}, "not comparable", "1 replicas of method~bptt/truncation_length~20 diverged"),
        ([REACHES], [REFERENCE], {"seeds": (5,)}, "missing", "no seed in common"),
        ([REACHES] * 2, [REFERENCE] * 2, {"stand_in": True}, "not comparable", "stand-in data"),
    ],
)
def test_what_keeps_two_runs_from_being_compared(tmp_path, own, reference, changes, verdict, why):
    if reference is None:
        write_ptb(tmp_path, "torch", "dni_aux", 5, valid=own, test=own)
        write_ptb(tmp_path, "jax", "bptt", 20)  # of the other framework
    else:
        write_pair(tmp_path, own, reference, **changes)
    found = row(judged(tmp_path), claim=FRACTION)
    assert found["verdict"] == verdict and found["why"].startswith(why)


# Tables.


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
    assert cells == {"", "missing", "14.0 [14.0, 14.0] (3) reproduced", "1.351 ± 0.002 (3) reproduced"}
    text = artifacts.module("table_rnn").make(tmp_path)[".md"].decode()
    assert "Data: Copy (drawn from the seed, as the paper draws it); Penn Treebank (original)." in text
    assert "Preset paper; 10,000 to 2,500,000 iterations." in text and "one step is the margin" in text


@pytest.mark.parametrize("name", TABLES)
def test_tex_is_ascii_balanced_and_rectangular(tmp_path, name):
    write_copy(tmp_path, diverged={0: 10})
    write_ptb(tmp_path, "jax", "dni_aux")
    text = artifacts.module(name).make(tmp_path)[".tex"].decode("ascii")
    bare = re.sub(r"\\\\|\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
    (ampersands,) = {line.count(" & ") for line in body.splitlines() if line.endswith(r" \\")}
    columns = re.search(r"\\begin{tabular}{@{}(l+c+)@{}}", text)[1]
    assert len(columns) == ampersands + 1 == len(lines_of(tmp_path, name)[0])
    if name == "table_rnn":  # number, interval and verdict on lines of their own, in narrow columns
        assert r"\scriptsize\setlength{\tabcolsep}" in text and r"time steps $\uparrow$" in text
        assert re.search(r"14.5\\\\{\\tiny \[.*\] \(2; 1 diverged\)}\\\\{\\tiny differs \(worse\)}", text)


def test_text_ptb_shows_both_results_and_the_share(tmp_path):
    write_pair(tmp_path, [REACHES] * 2, [REFERENCE] * 2, framework="jax")
    headings, _, paper, torch, jax = lines_of(tmp_path, "text_ptb")
    assert headings[2:] == ["BPTT, T = 20: bits", "DNI + Aux, T = 5: bits", "Its share of the data"]
    assert paper == ["Penn Treebank", "paper", "1.35", "1.35", "0.58"]
    assert torch[2:] == ["missing"] * 3
    assert [cell.partition(" (")[0] for cell in jax[2:]] == ["1.350 ± 0.000", "1.325 ± 0.000", "0.46 ± 0.00"]
    stamped = artifacts.module("text_ptb").make(tmp_path)[".md"].decode()
    assert ", 2 runs" in stamped  # the reference's, too


# What is said of the data.


def test_generated_data_is_no_stand_in_and_is_named(tmp_path):
    write_copy(tmp_path, dataset="repeat_copy", solved=[4, 4, 4])
    write_copy(tmp_path)
    runs = read_runs(tmp_path, "recurrent")
    assert not any(run.stand_in for run in runs)
    genuine = "Copy, Repeat Copy (drawn from the seed, as the paper draws it)"
    assert captions.data_line(runs) == f"Data: {genuine}."
    write_ptb(tmp_path, stand_in=True)
    runs = read_runs(tmp_path, "recurrent")
    assert [run.stand_in for run in runs] == [run.record["cell"]["dataset"] == "ptb" for run in runs]
    stand_in = "not Penn Treebank but text of a Markov chain over 50 symbols"
    assert captions.data_line(runs) == f"STAND-IN DATA in 1 of 3 runs: {stand_in}; else {genuine}."


# Figures.


def complete(results, **changes):
    """All cells in both frameworks; each replica of Copy one step further than the one before."""
    for framework, method in itertools.product(("torch", "jax"), captions.RECURRENT_METHODS):
        for dataset, length in itertools.product(RUNGS, (2, 3, 4, 5)):
            best = {"bptt": 3, "dni": 9, "dni_aux": 10}[method] + length
            solved = [RUNGS[dataset][best - 1 + replica] for replica in range(3)]
            write_copy(results, framework, dataset, method, length, solved, **changes)
        for length in (2, 3, 4, 5, 8, 20, 40):
            if method == "bptt" or length <= 8:
                write_ptb(results, framework, method, length, **changes)


def proof(results):
    """One truncation length, cut short, as on a CPU; some replicas of one and all of another diverged."""
    cut = {"reached": 100_000, "seeds": (0, 1)}
    for framework, method in itertools.product(("torch", "jax"), ("bptt", "dni")):
        gone = {0: 40_000} if method == "dni" else {}
        write_copy(results, framework, "copy", method, 3, [6, 7], diverged=gone, **cut)
        short = {"iterations": 2000, "every": 200, "status": "complete"}
        write_ptb(results, framework, method, 5, curves(method, 5, evaluations=11, replicas=1), **short)
    write_copy(results, "jax", "repeat_copy", "dni", 3, [12, 9], diverged={0: 40_000, 1: 90_000}, **cut)


def stand_in(results):
    """The quick preset: reduced sizes, and a text with a known limit."""
    for framework, method in itertools.product(("torch", "jax"), captions.RECURRENT_METHODS):
        for dataset in RUNGS:
            write_copy(results, framework, dataset, method, 3, [4, 5], iterations=2000, seeds=(0, 1), **NOT_THE_PAPERS)
        falling = curves(method, 5, ENTROPY_RATE, evaluations=11, replicas=2)
        known = {"stand_in": True, "facts": {"entropy_rate": ENTROPY_RATE}, "iterations": 2000, "every": 200}
        write_ptb(results, framework, method, 5, falling, **known, **NOT_THE_PAPERS)


def smoke(results):
    """A cell of each in PyTorch, of one replica that solves nothing, evaluated twice."""
    tiny = {"iterations": 20, "seeds": (0,), **NOT_THE_PAPERS}
    write_copy(results, solved=[0], **tiny)
    write_ptb(results, valid=[[5.6, 5.5, 5.4]], stand_in=True, every=10, **tiny)  # no facts, as in older records


def nothing(results):
    pass


SCENES = [complete, proof, stand_in, smoke, nothing]


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """folder_of(scene) -> its results, made once."""
    folders = {}

    def made(scene):
        if scene not in folders:
            folders[scene] = tmp_path_factory.mktemp(scene.__name__)
            scene(folders[scene])
        return folders[scene]

    return made


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
@pytest.mark.parametrize("artifact", FIGURES)
def test_every_figure_is_legible_and_says_what_is_behind_it(folder_of, draw, artifact, scene):
    figure, _, caption = draw(artifact, folder_of(scene))
    assert_legible(figure)
    assert figure.get_figwidth() == 7.0
    data, settings = figure.texts[0], figure.texts[1].get_text()
    assert caption.startswith(data.get_text().replace("\n", " "))
    labelled = artifact == "fig_ptb_curves" and scene in (stand_in, smoke)
    assert (data.get_color() == style.ALARM) == data.get_text().startswith("STAND-IN") == labelled
    assert ("hidden_units = 32 (paper: 256)" in settings) == (scene in (stand_in, smoke))
    assert ("Not in the paper" in settings) == (artifact == "fig_boundary_quality")
    assert "(paper: 500,000)" not in settings
    said = " ".join(notes(axes) for axes in figure.axes)
    assert ("× diverged: " in said) == (scene is proof and artifact != "fig_ptb_curves")
    assert ("missing: all" in said) == (scene is nothing or (scene, artifact) in MISSING)
    if scene is nothing:
        shown = "the panels are empty" if artifact == "fig_boundary_quality" else "only the paper's numbers are shown"
        assert data.get_text() == f"No runs found: {shown}."


# Panels without any run: other methods and truncation lengths, and the other task.
MISSING = {(proof, "fig_ptb_curves"), (smoke, "fig_ptb_curves"), (smoke, "fig_copy_progress")}


def test_progress_shows_every_promotion_at_its_data(tmp_path, draw):
    write_copy(tmp_path, "jax", "repeat_copy", "dni_aux", 4, [12, 33], iterations=900, seeds=(3, 4))
    figure, points, caption = draw("fig_copy_progress")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Copy, T = 4", "Repeat Copy, T = 4"]
    ours = points[points["obtained"] == "run"]
    assert ours["event"].value_counts().to_dict() == {"promotion": 5 + 10, "start": 2, "end": 2}
    assert (ours["data"] == ours["iteration"] * 4 * 256).all()
    climbs = {seed: promotions("repeat_copy", task, 900, seed - 3) for seed, task in ((3, 12), (4, 33))}
    for seed, climb in climbs.items():
        mine = ours[(ours["seed"] == seed) & (ours["event"] == "promotion")]
        assert list(zip(mine["iteration"], mine["value"], strict=True)) == climb
        (end,) = ours[(ours["seed"] == seed) & (ours["event"] == "end")].to_dict("records")
        assert (end["iteration"], end["value"]) == (900, climb[-1][1])
    steps = [line for line in figure.axes[1].lines if line.get_drawstyle() == "steps-post"]
    dots = [line for line in figure.axes[1].lines if line.get_marker() == "o"]
    assert not [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    for seed, line, marks in zip(climbs, steps, dots, strict=True):
        millions = [iteration * 4 * 256 / 1e6 for iteration, _ in climbs[seed]]
        assert list(marks.get_xdata()) == pytest.approx(millions)
        rungs = [RUNGS["repeat_copy"].index(task) for _, task in climbs[seed]]
        assert [round(y) for y in marks.get_ydata()] == rungs
        assert np.ptp(np.array(marks.get_ydata()) - rungs) < 1e-9  # a shift, the same for all
        assert (
            line.get_xdata()[-1] == pytest.approx(900 * 4 * 256 / 1e6) and line.get_ydata()[-1] == marks.get_ydata()[-1]
        )
    assert "Only truncation lengths with a run" in caption


def test_the_papers_lengths_stand_at_the_right_edge(tmp_path, draw):
    figure, points, _ = draw("fig_copy_progress")
    assert len(figure.axes) == 8 and len(points) == 24
    copy, repeat_copy = figure.axes[2:4]  # T = 3
    for axes, dataset, published in ((copy, "copy", [8, 14, 17]), (repeat_copy, "repeat_copy", [5, 33, 59])):
        marks = [line for line in axes.lines if line.get_marker() == "D"]
        assert [round(line.get_ydata()[0]) for line in marks] == [RUNGS[dataset].index(value) for value in published]
        assert {line.get_xdata()[0] for line in marks} == {axes.get_xlim()[1]}
        assert [text.get_text() for text in axes.texts if text.get_text().isdigit()] == [str(n) for n in published]
    labels = [label.get_text() for label in repeat_copy.get_yticklabels()]
    assert labels[0] == "none" and labels[1] in map(str, RUNGS["repeat_copy"])


def test_a_climb_ends_where_its_replica_diverged(tmp_path, draw):
    write_copy(tmp_path, diverged={1: 500_000}, seeds=(5, 6, 7))
    figure, points, _ = draw("fig_copy_progress")
    last = points[points["event"].isin(["end", "diverged"]) & (points["obtained"] == "run")].set_index("seed")
    assert last["event"].to_dict() == {5: "end", 6: "diverged", 7: "end"}
    assert last["iteration"].to_dict() == {5: 2_500_000, 6: 500_000, 7: 2_500_000}
    (cross,) = [line for line in figure.axes[0].lines if line.get_marker() == "X"]
    assert cross.get_xdata()[0] == pytest.approx(500_000 * 3 * 256 / 1e6)
    assert "× diverged: PyTorch DNI (1 of 3)" in notes(figure.axes[0])
    assert "missing: PyTorch BPTT, DNI + Aux; JAX all" in notes(figure.axes[0])


def test_other_cores_are_in_none_of_the_figures(tmp_path, draw):
    cell = {"dataset": "copy", "model": "rnn", "method": "dni", "truncation_length": 3}
    write_recurrent(tmp_path, "torch", cell, [(0, 0, "curriculum", "max_solved_task_length", 0)], (0,), 10, 10)
    for artifact in FIGURES:
        _, points, _ = draw(artifact)
        assert "run" not in set(points["obtained"])


def test_ptb_curves_are_over_the_papers_at_iterations_times_t(tmp_path, draw):
    write_ptb(tmp_path, "jax", "bptt", 20)
    figure, points, caption = draw("fig_ptb_curves")
    assert (points["time_steps"] == points["iteration"] * points["truncation_length"]).all()
    bptt, dni, aux = figure.axes
    dashed = {axes: [line for line in axes.lines if line.get_marker() == "s"] for axes in figure.axes}
    assert [len(dashed[axes]) for axes in (bptt, dni, aux)] == [3, 1, 0]
    assert list(dashed[dni][0].get_xdata())[:2] == [160_000, 200_000]
    assert list(dashed[dni][0].get_ydata())[:2] == [1.444, 1.412]
    (ours,) = [line for line in bptt.lines if line.get_marker() == "o"]
    assert list(ours.get_xdata()) == [5000 * 20 * k for k in range(1, 20)]
    low, high = bptt.get_ylim()
    assert 1.3 < low < 1.34 and 1.45 < high < 1.6  # the curves' ends are told apart
    assert "Dashed: the paper's curves" in caption and "entropy" not in caption
    assert "missing: all" in notes(aux)


def test_a_stand_in_text_shows_its_limit_and_no_curve_of_another_text(tmp_path, draw):
    stand_in(tmp_path)
    figure, points, caption = draw("fig_ptb_curves")
    assert set(points["obtained"]) == {"run"}
    for axes in figure.axes:
        limits = [line for line in axes.lines if list(line.get_ydata()) == [ENTROPY_RATE] * 2]
        assert len(limits) == 1 and not [line for line in axes.lines if line.get_marker() == "s"]
        low, high = axes.get_ylim()
        assert 2.1 < low < ENTROPY_RATE and high > points["value"].min() + 0.15
    legend = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert "limit: the stand-in's entropy rate (2.31 bits)" in legend and "paper's plot" not in legend
    assert "2.310 bits, the entropy rate of the stand-in text" in caption and "not shown" in caption


def test_an_early_stop_is_no_unfinished_run(tmp_path, draw):
    write_ptb(tmp_path)
    _, _, caption = draw("fig_ptb_curves")
    assert "95,000 iterations." in caption and "unfinished" not in caption


def test_boundary_quality_is_by_phase(tmp_path, draw):
    write_copy(tmp_path, "torch", "repeat_copy", "dni_aux", 5, [12, 12, 12], iterations=2000)
    write_copy(tmp_path, "torch", "repeat_copy", "bptt", 5, [12, 12, 12], iterations=2000)
    write_ptb(tmp_path)
    figure, points, caption = draw("fig_boundary_quality")
    assert set(points["method"]) == {"dni_aux"} and set(points["dataset"]) == {"repeat_copy"}
    ends = points[points["iteration"] == 2000].set_index("metric")["value"].to_dict()
    assert ends == {f"{measure}.{phase}": {"read": 0.2, "write": 0.6}[phase] for measure, phase in QUALITY}
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Repeat Copy, DNI + Aux", "", "", ""]
    for axes, (_, phase) in zip(figure.axes, QUALITY, strict=True):
        assert axes.lines[1].get_ydata()[-1] == pytest.approx({"read": 0.2, "write": 0.6}[phase])
        assert axes.get_ylim()[0] > -0.7
    assert "1 is a perfect prediction" in caption


def test_the_five_files_and_the_stamp(tmp_path):
    run = write_copy(tmp_path, iterations=1000)
    for artifact in ("fig_copy_progress", "fig_boundary_quality"):
        written = artifacts.module(artifact).make(tmp_path)
        assert list(written) == [".pdf", ".svg", ".png", ".csv", ".json"]
        (stamped,) = json.loads(written[".json"])["stamp"]["runs"]
        assert stamped["path"] == (run / "run.json").relative_to(tmp_path).as_posix()
        assert artifacts.module(artifact).make(tmp_path)[".svg"] == written[".svg"]
