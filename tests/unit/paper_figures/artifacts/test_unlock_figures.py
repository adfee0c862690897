"""The two figures of p_update: their dots, the paper's bins, the snapshots, and what is said where a dot is missing."""

import io
import json
import math
import re

import numpy as np
import pandas as pd
import pytest

from paper_figures import registry
from paper_figures.claims.estimates import curve_at
from paper_figures.drawing.p_update_figure import FIT_AT, SNAPSHOTS
from tests.support.figure_assertions import assert_nothing_overlaps, assert_words_are_in_the_caption, legend
from tests.support.runs_on_disk import edit_curves
from tests.support.unlock_runs import value, write_unlock

KINDS = {"fig_sparse_updates": "sparse", "fig_complete_unlock": "complete"}
SPARSE = "fig_sparse_updates"
PUBLISHED = {"fig_sparse_updates": 37, "fig_complete_unlock": 36}


def complete(results, unlock):
    for framework in ("torch", "jax"):
        for method in ("dni", "cdni"):
            write_unlock(results, framework, method, unlock, evaluate_every=1000)


def quick(results, unlock):
    settings = {"source": "stand-in", "preset": "quick", "differs": ["hidden_units = 64 (paper: 256)"]}
    for framework in ("torch", "jax"):
        for method in ("dni", "cdni"):
            write_unlock(results, framework, method, unlock, replicas=8, iterations=2000, evaluate_every=20, **settings)


def smoke(results, unlock):
    for framework in ("torch", "jax"):
        write_unlock(
            results, framework, "cdni", unlock, replicas=2, iterations=20, evaluate_every=10, source="stand-in"
        )


def proof(results, unlock):
    """One method, 25,000 iterations; in JAX two replicas diverged."""
    write_unlock(results, "torch", "cdni", unlock, iterations=25_000)
    write_unlock(results, "jax", "cdni", unlock, iterations=25_000, diverged=2)


def unfinished(results, unlock):
    """Both frameworks, stopped at different iterations, and all replicas of one run diverged."""
    write_unlock(results, "torch", "dni", unlock, reached=30_000)
    write_unlock(results, "jax", "dni", unlock, reached=260_000)
    write_unlock(results, "jax", "cdni", unlock, diverged=20)


def nothing(results, unlock):
    pass


SCENES = [complete, quick, smoke, proof, unfinished, nothing]


def points_of(results, name=SPARSE):
    return pd.read_csv(io.BytesIO(registry.module(name).make(results)[".csv"]))


def caption_of(results, name=SPARSE):
    return json.loads(registry.module(name).make(results)[".json"])["caption"]


@pytest.mark.slow("draws two figures from six sets of runs each")
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("scene", SCENES)
def test_nothing_overlaps_or_is_clipped(tmp_path, drawn, scene, name):
    scene(tmp_path, KINDS[name])
    registry.module(name).make(tmp_path)
    (figure,) = drawn
    assert_nothing_overlaps(figure)
    assert_words_are_in_the_caption(figure, stand_in=scene in (quick, smoke))


def test_dots_are_the_replicas_at_the_papers_snapshots(tmp_path, drawn):
    complete(tmp_path, "sparse")
    points = points_of(tmp_path)
    ours = points[points["obtained"] == "run"]
    assert len(ours) == 2 * 2 * 5 * 20 and (ours["iteration"] == ours["snapshot"]).all()
    expected = [value(row.seed - 5, row.iteration) for row in ours.itertuples()]
    assert list(ours["value"]) == pytest.approx(expected, rel=1e-5)
    assert list(ours["p_update"]) == pytest.approx(list((ours["seed"] - 5) / 19), rel=1e-5)
    (figure,) = drawn
    titles = [axes.get_title(loc="left") for axes in figure.axes[:5]]
    assert titles == [f"{snapshot:,} iterations" for snapshot in SNAPSHOTS]
    for number, axes in enumerate(figure.axes):
        assert len(axes.lines) == 6  # dots, crosses and curve of either framework
        for dots in axes.lines[::3]:
            assert list(dots.get_xdata()) == pytest.approx([i / 19 for i in range(20)])
            assert list(dots.get_ydata()) == pytest.approx([value(i, SNAPSHOTS[number % 5]) for i in range(20)])
    assert legend(figure) == ["PyTorch", "JAX", "paper: median of its dots in a bin"]
    assert not re.search("No run|diverged|No dots", caption_of(tmp_path))


def test_the_curve_is_the_one_that_is_judged(tmp_path, drawn):
    """At its own points, and within the range of the replicas that were trained."""
    complete(tmp_path, "sparse")
    points = points_of(tmp_path)
    panel = points[(points["method"] == "cdni") & (points["snapshot"] == 5_000) & (points["source"] == "jax")]
    dots, fit = (panel[panel["obtained"] == name] for name in ("run", "fit"))
    dots = dots[dots["p_update"] > 0]
    expected = [curve_at(dots["p_update"], dots["value"], at).mean for at in fit["p_update"]]
    assert list(fit["value"]) == pytest.approx(expected, rel=1e-4) and len(fit) == FIT_AT
    assert (fit["p_update"].min(), fit["p_update"].max()) == (dots["p_update"].min(), dots["p_update"].max())
    (figure,) = drawn
    assert list(figure.axes[5].lines[5].get_ydata()) == pytest.approx(expected, rel=1e-4)


def test_missed_visits_have_a_row_for_each_setting_that_ran(tmp_path, drawn):
    """Each with the same medians of the paper, at the snapshots up to the ablation's length."""
    for unvisited in ("zero_gradient", "frozen"):
        cell = {"unlock": "sparse", "unvisited": unvisited, "synthetic_gradient_depth": 0}
        write_unlock(tmp_path, "jax", "cdni", experiment="missed_visits", cell=cell, iterations=25_000)
    points = points_of(tmp_path, "fig_missed_visits")
    assert set(points["snapshot"]) == set(SNAPSHOTS[:3])
    dots = points[points["obtained"] == "run"].dropna(subset="value")
    assert dots.groupby(["unvisited", "snapshot"]).size().to_dict() == {
        (unvisited, snapshot): 20 for unvisited in ("frozen", "zero_gradient") for snapshot in SNAPSHOTS[:3]
    }
    (figure,) = drawn
    assert [axes.get_ylabel().split(":")[0] for axes in figure.axes[::3]] == ["frozen", "zero gradient"]
    bars = [len(axes.collections[0].get_segments()) for axes in figure.axes]
    assert bars[:3] == bars[3:] and sum(bars) > 0
    assert_nothing_overlaps(figure)


@pytest.mark.parametrize("name", KINDS)
def test_the_papers_medians_stand_in_their_bins(tmp_path, drawn, name):
    complete(tmp_path, KINDS[name])
    points = points_of(tmp_path, name)
    paper = points[points["source"] == "paper"]
    assert len(paper) == PUBLISHED[name] and (paper["p_low"] < paper["p_high"]).all()
    (figure,) = drawn
    bars = [axes.collections[0].get_segments() for axes in figure.axes]
    assert sum(map(len, bars)) == PUBLISHED[name]
    assert [len(segments) > 0 for segments in bars] == [
        False,
        False,
        False,
        True,
        True,
        True,
        False,
        False,
        False,
        True,
    ]
    first = {"fig_sparse_updates": 4.6, "fig_complete_unlock": 5.9}[name]
    assert np.array(bars[4][0]) == pytest.approx(np.array([[0.0, first], [0.03, first]]))


def test_each_figure_has_its_own_runs(tmp_path, drawn):
    write_unlock(tmp_path, unlock="complete")
    sparse = points_of(tmp_path, "fig_sparse_updates")
    assert "run" not in set(sparse["obtained"])
    both = points_of(tmp_path, "fig_complete_unlock")
    assert both.loc[(both["source"] == "torch") & (both["method"] == "dni"), "value"].notna().all()


def test_a_snapshot_that_a_run_has_not_reached_says_so(tmp_path, drawn):
    unfinished(tmp_path, "sparse")
    points, caption = points_of(tmp_path), caption_of(tmp_path)
    not_reached = "DNI in PyTorch (not reached (30,000 of 250,000); not reached (30,000 of 500,000))"
    assert f"No dots: {not_reached}, DNI in JAX (not reached (260,000 of 500,000))." in caption
    assert "No run: cDNI in PyTorch (all)." in caption
    assert "Replicas that diverged (crosses): cDNI in JAX (20 of 20)." in caption
    note = points[(points["source"] == "torch") & (points["snapshot"] == 250_000) & (points["method"] == "dni")]
    assert list(note["note"]) == ["not reached (30,000 of 250,000)"] and note["value"].isna().all()


def test_diverged_replicas_are_crossed_at_the_top(tmp_path, drawn):
    proof(tmp_path, "sparse")
    registry.module(SPARSE).make(tmp_path)
    (figure,) = drawn
    crosses = figure.axes[1].lines[4]  # cdni at 12,000: JAX; no other snapshot and no DNI has a panel
    assert crosses.get_marker() == "X" and list(crosses.get_xdata()) == pytest.approx([0, 1 / 19])
    assert [axes.get_title(loc="left")[:6] for axes in figure.axes] == ["5,000 ", "12,000", "25,000"]
    assert "Replicas that diverged (crosses): cDNI in JAX (2 of 20)." in caption_of(tmp_path)


def test_a_shortened_run_is_shown_at_the_same_fractions_and_labelled_so(tmp_path, drawn):
    quick(tmp_path, "sparse")
    module = registry.module(SPARSE)
    written = module.make(tmp_path)
    points = pd.read_csv(io.BytesIO(written[".csv"]))
    ours = points[points["obtained"] == "run"]
    assert list(dict.fromkeys(ours["iteration"])) == [20, 40, 100, 1000, 2000]  # 2.4% is 48: 40 is its nearest
    (figure,) = drawn
    titles = [axes.get_title(loc="left") for axes in figure.axes[:5]]
    assert titles == [
        "at 20 (1%)",
        "at 40 (2.4%)",
        "at 100 (5%)",
        "at 1,000 (50%)",
        "at 2,000 (100%)",
    ]
    caption = json.loads(written[".json"])["caption"]
    assert "the same fraction of the run" in caption
    assert "The paper's numbers are not shown" in caption and "paper" not in set(points["source"])


def test_a_fraction_far_from_every_evaluation_is_left_out(tmp_path, drawn):
    """An untrained net (iteration 0) is no evaluation of a trained one."""
    write_unlock(tmp_path, iterations=2000, evaluate_every=200)
    points = points_of(tmp_path)
    ours = points[(points["source"] == "torch") & (points["method"] == "dni")]
    notes = ours.drop_duplicates("snapshot")["note"].fillna("").tolist()
    assert notes == [f"not evaluated at {wanted}; the nearest is 200" for wanted in (20, 48, 100)] + ["", ""]
    (figure,) = drawn
    assert figure.axes[0].get_title(loc="left") == "at 1,000 (50%)"


def test_runs_past_the_papers_first_snapshot_are_held_to_it(tmp_path, drawn):
    """A run of 25,000 iterations is in three of the paper's panels, not in five of its own; 4,900 is not 5,000."""
    proof(tmp_path, "sparse")
    write_unlock(tmp_path, "torch", "dni", iterations=20_000, evaluate_every=4_900)
    points = points_of(tmp_path)
    ours = points[(points["obtained"] == "run") & points["iteration"].notna()]
    assert set(ours["snapshot"]) == {5_000, 12_000, 25_000} and (ours["iteration"] == ours["snapshot"]).all()
    note = points[(points["method"] == "dni") & (points["source"] == "torch")]["note"].iloc[0]
    assert note == "not evaluated at 5,000; the nearest is 4,900"


@pytest.mark.slow("writes a figure in every format, twice")
def test_the_five_files_and_the_stamp(tmp_path):
    run = write_unlock(tmp_path, replicas=4, iterations=5_000)
    written = registry.module(SPARSE).make(tmp_path)
    assert list(written) == [".pdf", ".svg", ".png", ".csv", ".json"]
    record = json.loads(written[".json"])
    (stamped,) = record["stamp"]["runs"]
    assert stamped["path"] == (run / "run.json").relative_to(tmp_path).as_posix()
    assert record["stamp"]["sources"].keys() >= {
        "paper_figures/drawing/p_update_figure.py",
        "paper_figures/artifacts/fig_sparse_updates.py",
    }
    assert "Dots: test error of single replicas (4)" in record["caption"]
    assert registry.module(SPARSE).make(tmp_path)[".svg"] == written[".svg"]


def test_an_infinite_error_is_a_diverged_replica_too(tmp_path, drawn):
    run = write_unlock(tmp_path)
    edit_curves(run, lambda curves: curves.assign(value=curves["value"].where(curves["replica"] != 3, math.inf)))
    points = points_of(tmp_path)
    (figure,) = drawn
    assert list(figure.axes[0].lines[1].get_xdata()) == pytest.approx([3 / 19])
    noted = points[points["note"] == "diverged"]
    assert set(noted["seed"]) == {8} and noted["value"].isna().all()
    assert math.isfinite(figure.axes[0].get_ylim()[1])


def test_an_error_of_zero_lies_on_the_axis(tmp_path, drawn):
    write_unlock(tmp_path, metrics={("test", "error"): lambda replica, iteration: 2.0 * (replica > 0)})
    points_of(tmp_path)
    (figure,) = drawn
    dots = figure.axes[0].lines[0].get_ydata()
    assert dots[0] == figure.axes[0].get_ylim()[0] and list(dots[1:]) == [2.0] * 19
