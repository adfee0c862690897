"""PyTorch against JAX: which cells are compared, on which seeds, within which margin, and how that is said."""

import io
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from impls.errors import UserError
from paper_figures.artifacts import table_frameworks
from paper_figures.claims import framework_agreement
from paper_figures.claims.framework_agreement import OUTCOMES
from paper_figures.claims.matching import read_claims
from paper_figures.claims.statistics import LEVEL
from paper_figures.names import METRICS
from paper_figures.runs import read_runs
from tests.support.recurrent_runs import write_copy, write_ptb
from tests.support.runs_on_disk import edit_record, write_run
from tests.support.two_network_runs import write_two

CPU = {"kind": "cpu", "name": "AMD EPYC", "threads": 2}


def write_both(results, torch, jax, torch_changes=None, jax_changes=None, **changes):
    """A cell in both frameworks, whose replicas end at these errors."""
    write_run(results, "torch", final=torch, **{**changes, **(torch_changes or {})})
    write_run(results, "jax", final=jax, **{**changes, **(jax_changes or {})})


def table(results):
    found = pd.read_csv(io.BytesIO(table_frameworks.make(results)[".csv"]))
    text = ["metric", "unit", "margin_from", "verdict", "why", "speed_obstacles"]
    return found.assign(**found[text].astype(object).fillna("")).set_index("cell", drop=False)


def only(results):
    (row,) = table(results).to_dict("records")
    return row


def page(results):
    return table_frameworks.make(results)[".md"].decode()


# Which seeds, and what is computed of them.


def test_frameworks_are_compared_on_their_common_seeds(tmp_path):
    """By seed: 0.1, 0.2, 0.3 apart; the fourth of each has no partner."""
    own, its = {"seeds": (0, 1, 2, 3)}, {"seeds": (2, 1, 0, 9)}
    write_both(tmp_path, [2.1, 3.2, 4.3, 50.0], [4.0, 3.0, 2.0, 70.0], own, its)
    row = only(tmp_path)
    half = 4.302653 * 0.1 / math.sqrt(3)
    assert (row["torch"], row["jax"], row["n"]) == (pytest.approx(3.2), pytest.approx(3.0), 3)
    assert [row[name] for name in ("difference", "low", "high")] == pytest.approx(
        [0.2, 0.2 - half, 0.2 + half], rel=1e-4
    )
    assert (row["margin"], row["margin_from"]) == (0.3, "table_feedforward/mnist/fcn/4/dni")
    expected = stats.ttest_1samp([0.1, 0.2, 0.3], 0.3, alternative="less").pvalue
    assert row["p_equivalence"] == row["p_equivalence_holm"] == pytest.approx(expected, rel=1e-5)
    assert (row["verdict"], row["metric"], row["unit"]) == ("inconclusive", "test_error", "percentage points")
    assert row["torch_run"].endswith("torch/run.json") and row["jax_run"].endswith("jax/run.json")


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([0.01, 0.02, -0.01], "equivalent"),
        ([0.0, 0.0, 0.0], "equivalent"),
        ([0.3, 0.3, 0.3], "equivalent"),  # on the margin
        ([1.0, 1.02, 0.98], "differs"),
        ([-1.0, -1.0, -1.0], "differs"),
        ([0.3, 0.4, 0.2], "inconclusive"),
        ([0.01], "inconclusive"),
    ],
)
def test_verdicts(tmp_path, differences, verdict):
    jax = [2.0, 3.0, 4.0][: len(differences)]
    both = [mean + difference for mean, difference in zip(jax, differences, strict=True)]
    write_both(tmp_path, both, jax, seeds=range(len(jax)))
    row = only(tmp_path)
    assert row["verdict"] == verdict and row["why"]
    assert ("the same for all seeds" in row["why"]) == (len(differences) == 3 and np.ptp(differences) == 0)
    assert f"| {verdict} |" in page(tmp_path)


def test_equal_differences_of_one_image_are_not_certain(tmp_path):
    """Each seed differs by the same number of images. Of 297 test images that is not certain, of 10,000 it is."""
    for images, verdict in ((297, "inconclusive"), (10_000, "differs")):
        one = 100 / images
        off = one * math.ceil(0.335 / one)  # just beyond the margin of 0.3
        jax = [one * round(error / one) for error in (2.0, 3.0, 4.0)]
        wavering = {
            ("test", "error"): lambda replica, iteration, jax=jax, one=one: jax[replica] + one * (iteration < 9)
        }
        same = {("test", "error"): lambda replica, iteration, jax=jax, off=off: jax[replica] + off}
        folder = tmp_path / str(images)
        write_both(folder, jax, jax, {"metrics": same}, {"metrics": wavering})
        row = only(folder)
        assert (row["difference"], row["low"]) == (pytest.approx(off, rel=1e-4), row["high"])
        assert row["verdict"] == verdict


def test_a_seed_that_diverged_in_one_framework_alone_is_a_difference(tmp_path):
    write_both(tmp_path, [2.0, 3.0, 4.0], [2.0, 3.0, 4.0], {"diverged": 1})
    row = only(tmp_path)
    assert (row["verdict"], row["n"], row["n_diverged_torch"], row["n_diverged_jax"]) == ("differs", 2, 1, 0)
    assert row["why"] == "replicas that diverged: 1 in PyTorch and 0 in JAX"
    assert "| 2 (1 diverged) |" in page(tmp_path)
    write_both(tmp_path / "both", [2.0, 3.0, 4.0], [2.0, 3.0, 4.01], diverged=1)
    row = only(tmp_path / "both")
    assert (row["verdict"], row["n"], row["torch"]) == ("equivalent", 2, pytest.approx(3.5))
    write_both(tmp_path / "all", [2.0, 3.0], [2.0, 3.0], seeds=(0, 1), diverged=2)
    assert only(tmp_path / "all")["why"] == "every replica diverged in both"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iterations": 400_000}, "iterations 400000 and 500000"),
        ({"iterations": 2000}, "iterations 2000 and 500000; not evaluated at iteration 2000; the nearest is 0"),
        ({"reached": 300_000}, "iteration reached 300000 and 500000"),
        ({"source": "stand-in"}, "other data"),
    ],
)
def test_other_conditions_are_not_compared(tmp_path, changes, why):
    write_both(tmp_path, [2.0, 3.0, 4.0], [2.0, 3.0, 4.0], changes)
    row = only(tmp_path)
    assert (row["verdict"], row["why"]) == ("not comparable", why)
    assert math.isnan(row["p_equivalence"]) and math.isnan(row["p_equivalence_holm"])
    assert f"not comparable: {why}" in page(tmp_path)


def test_another_precision_or_setting_is_not_compared_nor_timed(tmp_path):
    write_both(tmp_path, [2.0, 3.0, 4.0], [2.0, 3.0, 4.0])
    run = tmp_path / "feedforward/dataset~mnist/model~fcn/depth~4/method~dni/jax"
    edit_record(run, precision="tf32", spec={**only_spec(run), "learning_rate": 0.1})
    row = only(tmp_path)
    why = "learning_rate not in the record and 0.1; precision fp32 and tf32"
    assert (row["verdict"], row["why"], row["speed_obstacles"]) == ("not comparable", why, why)
    assert math.isnan(row["speed_ratio"])


def only_spec(run):
    return pd.read_json(run / "run.json", typ="series")["spec"]


def test_runs_that_both_stopped_early_at_one_iteration_are_compared(tmp_path):
    write_both(tmp_path, [2.0, 3.0, 4.0], [2.0, 3.0, 4.0], reached=300_000)
    row = only(tmp_path)
    assert (row["verdict"], row["iteration"]) == ("equivalent", 300_000)


def test_cells_that_cannot_be_compared_are_counted(tmp_path):
    """Those that one framework alone has run, and those whose two runs share no seed."""
    write_both(tmp_path, [2.0, 3.0, 4.0], [2.0, 3.0, 4.0])
    write_run(tmp_path, depth=3)
    write_run(tmp_path, "jax", depth=5)
    write_both(tmp_path, [2.0, 3.0], [2.0, 3.0], {"seeds": (0, 1)}, {"seeds": (2, 3)}, method="cdni")
    assert len(table(tmp_path)) == 1
    left_out = "Left out: 2 cells that only one framework has run, and 1 cells whose two runs share no seed."
    assert left_out in page(tmp_path)


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
    write_ptb(
        tmp_path, "torch", valid=[[2.0, 1.5, 1.40, 1.41]] * 2, test=[[2.0, 1.5, 1.42, 9.0], [2.0, 1.5, 1.43, 9.0]]
    )
    write_ptb(tmp_path, "jax", valid=[[2.0, 1.40, 1.41]] * 2, test=[[2.0, 1.42, 9.0], [2.0, 1.43, 9.0]])
    row = only(tmp_path)
    assert (row["difference"], row["torch"]) == (pytest.approx(0, abs=1e-9), pytest.approx(1.425))
    assert (row["verdict"], row["margin"]) == ("equivalent", 0.015)
    assert "| 1.425 | 1.425 | 0.000 ± 0.000 |" in page(tmp_path)


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


# Speed.


@pytest.mark.parametrize(
    ("changes", "obstacle"),
    [
        ({}, ""),
        ({"device": {**CPU, "threads": 1}}, "device threads 1 and 2"),
        (
            {"device": {"kind": "cuda", "name": "H100"}},
            "device kind cuda and cpu; device name H100 and AMD EPYC; device",
        ),
        ({"model_steps_per_second": None}, "not recorded"),
    ],
)
def test_speeds_stand_side_by_side(tmp_path, changes, obstacle):
    write_both(tmp_path, [2.0, 3.0, 4.0], [2.0, 3.0, 4.0])
    folder = tmp_path / "feedforward/dataset~mnist/model~fcn/depth~4/method~dni"
    record = json.loads((folder / "torch/run.json").read_text())
    (folder / "torch/run.json").write_text(json.dumps(record | {"model_steps_per_second": 1250.0} | changes))
    row = only(tmp_path)
    assert row["speed_obstacles"].startswith(obstacle) and row["verdict"] == "equivalent"
    assert row["jax_steps_per_second"] == 100
    if obstacle:
        assert math.isnan(row["speed_ratio"]) and "| n.c. |" in page(tmp_path)
    else:
        assert row["speed_ratio"] == 12.5 and "| 1,250 | 100 | 12.50 |" in page(tmp_path)


def test_speeds_of_different_numbers_of_replicas_are_not_compared(tmp_path):
    write_both(tmp_path, [2.0, 3.0], [2.0, 3.0, 4.0], {"seeds": (0, 1)})
    row = only(tmp_path)
    assert (row["n"], row["verdict"], row["speed_obstacles"]) == (2, "equivalent", "replicas 2 and 3")


# The page, at the size of the paper's preset, and with nothing to show.


def test_many_cells_are_grouped_by_experiment(tmp_path):
    coarse = {"evaluate_every": 25_000}
    for depth in (3, 4, 5, 6):
        for method in ("no_bprop", "bprop", "dni", "cdni"):
            write_both(tmp_path, [2.0, 2.5, 3.0], [2.0, 2.5, 3.0], depth=depth, method=method, **coarse)
    for cut in range(1, 6):
        single = {"depth": 6, "experiment": "single_dni", "cell": {"cut_after": cut}}
        write_both(tmp_path, [2.0, 2.5, 3.0], [4.0, 4.5, 5.0], **single, **coarse)
    written = table_frameworks.make(tmp_path)
    text, latex = written[".md"].decode(), written[".tex"].decode("ascii")
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == ["feedforward", "single_dni"]
    assert "| feedforward | 16 | 16 | 0 | 0 | 0 | 1.00 |" in text and "| single_dni | 5 | 0 | 5 | 0 | 0 |" in text
    assert text.count("\n| mnist fcn depth") == 21 and "| mnist fcn depth 6 dni cut after 5 | 2.50 | 4.50 |" in text
    assert "\n\nStamp " in text and "42 runs" in text
    assert latex.count(r"\begin{table*}") == latex.count(r"\end{table*}") == 3
    labels = re.findall(r"\\label{(.*?)}", latex)
    assert labels == [f"tab:dni-frameworks{end}" for end in ("", "-feedforward", "-single-dni")]
    for line in latex.splitlines():
        if line.endswith(r"\\") and "&" in line:
            assert line.count(" & ") in (len(table_frameworks.HEADINGS) - 1, len(table_frameworks.COUNTED) - 1)
    assert table_frameworks.make(tmp_path) == written


def test_without_pairs_the_page_says_so(tmp_path):
    write_run(tmp_path)
    written = table_frameworks.make(tmp_path)
    text = written[".md"].decode()
    assert "**No cell has runs of both frameworks on a common seed.**" in text
    assert "Left out: 1 cells that only one framework has run." in text
    assert written[".csv"].decode().startswith("experiment,cell,metric,") and written[".csv"].count(b"\n") == 1


def test_a_wrong_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        table_frameworks.make(tmp_path / "nowhere")
    write_run(tmp_path / "cpu-2-cores")
    with pytest.raises(UserError, match=r"did you mean --results .*cpu-2-cores"):
        table_frameworks.make(tmp_path)


def test_false_words_are_rare_over_a_family_of_cells(monkeypatch):
    """40 cells, all with means on their margins: at most 5% of such families have one false verdict or more."""
    monkeypatch.setattr("gc.collect", lambda: 0)  # the library calls it every time
    rng = np.random.default_rng(10)
    row = {"obstacles": "", "n_diverged_alone": 0, "n": 3, "margin": 1.0, "low": -1.0, "high": 1.0}
    wrong = {"equivalent": 0, "differs": 0}
    families = 100
    for _ in range(families):
        draws = rng.normal(1.0, 0.2, (40, 3))
        tests = {"p_equivalence": framework_agreement.equivalence_p, "p_beyond": framework_agreement.beyond_p}
        rows = [
            row | {"p_equivalence": tests["p_equivalence"](d, 0, 1.0), "p_beyond": tests["p_beyond"](d, 1.0)}
            for d in draws
        ]
        words = set(framework_agreement.verdicts(rows)["verdict"])
        for word in wrong:
            wrong[word] += word in words
    assert all(count / families <= LEVEL + 4 * math.sqrt(LEVEL * (1 - LEVEL) / families) for count in wrong.values())
