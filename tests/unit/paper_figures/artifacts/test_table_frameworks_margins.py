"""PyTorch against JAX: the margin and the unit of each comparison, and how rarely a verdict is false."""

import math

import numpy as np
import pandas as pd
import pytest

from paper_figures.claims import framework_agreement
from paper_figures.claims.estimates import LEVEL, mean_of
from paper_figures.claims.framework_agreement import OUTCOMES
from paper_figures.claims.matching import read_claims
from paper_figures.names import METRICS
from paper_figures.runs import read_runs
from tests.support.framework_pairs import only, page, table, write_both
from tests.support.recurrent_runs import write_copy, write_ptb
from tests.support.runs_on_disk import write_run
from tests.support.two_network_runs import write_two

# Margins, and the family over which p values are corrected.


def test_where_the_paper_has_no_number_the_margin_is_the_default(tmp_path):
    lambdas = {"experiment": "bp_lambda", "cell": {"bp_lambda": 0.5}}
    write_both(tmp_path, [2.0, 2.1, 2.2], [2.0, 2.1, 2.2], **lambdas)
    write_both(tmp_path, [20.0, 20.5, 21.0], [20.0, 20.5, 21.0], method="cdni", **lambdas)
    found = table(tmp_path)
    assert list(found["margin_from"]) == ["default"] * 2 and sorted(found["margin"]) == pytest.approx([0.3, 2.05])
    text = page(tmp_path)
    assert "| 2.05* |" in text and "0.3 and above 3% a tenth of the error" in text and "curriculum steps:" not in text


def test_a_margin_is_never_that_of_a_number_read_off_a_plot(tmp_path):
    write_both(tmp_path, [2.0, 2.1, 2.2], [2.0, 2.1, 2.2])
    torch, jax = sorted(read_runs(tmp_path, "feedforward"), key=lambda run: run.record.framework, reverse=True)
    turned = read_claims().iloc[::-1]  # so that those of the plot come first
    row = framework_agreement.compare(torch, jax, turned)
    assert (row["margin"], row["margin_from"]) == (0.3, "table_feedforward/mnist/fcn/4/dni")


def test_a_default_margin_is_that_of_the_papers_numbers_of_its_kind():
    claims = read_claims()
    margins = {outcome.metric: outcome.default_margin(2.0) for outcome in OUTCOMES}
    mnist = claims["id"] == "table_feedforward/mnist/fcn/4/dni"
    for metric, margin in (
        ("test_error", claims.loc[mnist, "margin"].item()),
        ("test_error_b", claims.loc[claims["metric"] == "final_difference_b", "margin"].item()),
    ):
        assert margins[metric] == margin
    for metric in ("max_solved_task_length", "test_bits_per_character"):
        assert set(claims.loc[(claims["artifact"] == "table_rnn") & (claims["metric"] == metric), "margin"]) == {
            margins[metric]
        }
    assert set(margins) <= set(METRICS)
    assert OUTCOMES[2].default_margin(21.4) == pytest.approx(2.14)


def test_p_values_are_corrected_over_all_comparable_cells(tmp_path):
    """The same three differences in three cells of two experiments, and a fourth that is not comparable."""
    torch, jax = [2.05, 3.12, 4.19], [2.0, 3.0, 4.0]
    write_both(tmp_path, torch, jax)
    alone = only(tmp_path)
    write_both(tmp_path, torch, jax, depth=3)
    write_both(tmp_path, torch, jax, depth=6, experiment="single_dni", cell={"cut_after": 1})
    write_both(tmp_path, torch, jax, {"iterations": 400_000}, method="cdni")
    found = table(tmp_path)
    assert math.isfinite(found.loc[found["verdict"] == "not comparable", "difference"].item())
    compared = found[found["verdict"] != "not comparable"]
    assert compared["p_equivalence"].to_numpy() == pytest.approx([alone["p_equivalence"]] * 3, rel=1e-4)
    assert compared["p_equivalence_holm"].to_numpy() == pytest.approx(3 * alone["p_equivalence"], rel=1e-4)
    assert alone["verdict"] == "equivalent" and alone["p_equivalence"] < LEVEL < 3 * alone["p_equivalence"]
    assert set(compared["verdict"]) == {"inconclusive"}


# Every kind of experiment.


def test_task_lengths_are_compared_in_curriculum_steps(tmp_path):
    """39, 45, 52 are steps 11, 12, 13; 39, 45, 45 are 11, 12, 12."""
    for framework, solved in (("torch", (39, 45, 52)), ("jax", (39, 45, 45))):
        write_copy(tmp_path, framework, "repeat_copy", solved=solved)
    row = only(tmp_path)
    assert (row["difference"], row["torch"]) == (pytest.approx(1 / 3, rel=1e-5), 45)
    assert row["jax"] == pytest.approx(39 + 6 * 2 / 3, rel=1e-5)
    assert (row["unit"], row["margin"], row["iteration"]) == ("curriculum steps", 1, 2_500_000)


def test_text_is_compared_at_the_best_snapshots_wherever_they_are(tmp_path):
    bits = (1.42, 1.423, 1.426)
    valid = ([[2.0, 1.5, 1.40, 1.41]] * 3, [[2.0, 1.40, 1.41]] * 3)
    write_ptb(tmp_path, "torch", valid=valid[0], test=[[2.0, 1.5, best, 9.0] for best in bits])
    write_ptb(tmp_path, "jax", valid=valid[1], test=[[2.0, best, 9.0] for best in bits])
    row = only(tmp_path)
    assert (row["difference"], row["torch"]) == (pytest.approx(0, abs=1e-9), pytest.approx(1.423))
    assert (row["verdict"], row["margin"]) == ("equivalent", 0.015)
    assert "| 1.423 | 1.423 | 0.000 ± 0.000 |" in page(tmp_path)


def test_two_networks_are_compared_by_network_b(tmp_path):
    for framework in ("torch", "jax"):
        write_two(tmp_path, framework, b=[[60, 40, 20 + (framework == "torch")]] * 2)
    row = only(tmp_path)
    assert (row["metric"], row["difference"], row["margin"]) == ("test_error_b", 1, 1.9)


def test_an_experiment_with_an_unknown_metric_is_shown_as_not_comparable(tmp_path):
    for framework in ("torch", "jax"):
        run = write_run(tmp_path, framework, experiment="novel", cell={"colour": "red"})
        frame = pd.read_parquet(run / "curves.parquet").query("metric == 'error'")
        frame.assign(metric="beauty").to_parquet(run / "curves.parquet")
    row = only(tmp_path)
    assert (row["verdict"], row["why"]) == ("not comparable", "no metric that is known here was recorded")
    assert row["speed_ratio"] == 1 and "## novel" in page(tmp_path)


def test_false_words_are_rare_over_a_family_of_cells(monkeypatch):
    """40 cells, all with means on their margins: at most 5% of such families have one false verdict or more."""
    monkeypatch.setattr("gc.collect", lambda: 0)  # the library calls it every time
    rng = np.random.default_rng(10)
    row = {"obstacles": "", "n_diverged_alone": 0, "n": 3, "margin": 1.0, "low": -1.0, "high": 1.0}
    wrong = {"equivalent": 0, "differs": 0}
    families = 100
    for _ in range(families):
        draws = rng.normal(1.0, 0.2, (40, 3))
        found = [mean_of(differences) for differences in draws]
        rows = [row | {"p_equivalence": d.p_equivalent(0, 1.0), "p_beyond": d.p_beyond(0, 1.0)} for d in found]
        words = set(framework_agreement.verdicts(rows)["verdict"])
        for word in wrong:
            wrong[word] += word in words
    assert all(count / families <= LEVEL + 4 * math.sqrt(LEVEL * (1 - LEVEL) / families) for count in wrong.values())
