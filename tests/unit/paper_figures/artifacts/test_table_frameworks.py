"""PyTorch against JAX: which cells are compared, on which seeds, within which margin, and how that is said."""

import json
import math
import re

import numpy as np
import pytest
from scipy import stats

from impls.errors import UserError
from paper_figures.artifacts import table_frameworks
from tests.support.framework_pairs import CPU, only, only_spec, page, table, write_both
from tests.support.runs_on_disk import edit_record, write_run

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
        ([0.3, 0.3, 0.3], "inconclusive"),  # on the margin
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
    same = verdict != "inconclusive" and np.ptp(differences) == 0
    assert ("the same for all seeds" in row["why"]) == same
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
