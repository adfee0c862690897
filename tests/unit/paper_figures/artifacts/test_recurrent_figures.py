"""The figures of the recurrent nets."""

import itertools
import json

import numpy as np
import pytest

from paper_figures import registry
from paper_figures.drawing import style
from paper_figures.names import RECURRENT_METHODS
from tests.support.figure_assertions import assert_legible, assert_words_are_in_the_caption, legend, titles
from tests.support.recurrent_runs import (
    ENTROPY_RATE,
    FIGURES,
    NOT_THE_PAPERS,
    QUALITY,
    RUNGS,
    curves,
    promotions,
    write_copy,
    write_ptb,
    write_recurrent,
)


def complete(results, **changes):
    """All cells in both frameworks; each replica of Copy one step further than the one before."""
    for framework, method in itertools.product(("torch", "jax"), RECURRENT_METHODS):
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
    for framework, method in itertools.product(("torch", "jax"), RECURRENT_METHODS):
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


@pytest.mark.slow("draws three figures from five sets of runs each")
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
@pytest.mark.parametrize("artifact", FIGURES)
def test_every_figure_is_legible_and_says_what_is_behind_it(folder_of, draw, artifact, scene):
    figure, _, caption = draw(artifact, folder_of(scene))
    assert_legible(figure)
    assert figure.get_figwidth() <= style.WIDTHS[2]
    labelled = artifact == "fig_ptb_curves" and scene in (stand_in, smoke)
    assert_words_are_in_the_caption(figure, labelled)
    assert caption.startswith("STAND-IN") == labelled
    assert ("hidden_units = 32 (paper: 256)" in caption) == (scene in (stand_in, smoke))
    assert ("Not in the paper" in caption) == (artifact == "fig_boundary_quality")
    assert "(paper: 500,000)" not in caption
    assert ("Replicas that diverged (crosses): " in caption) == (scene is proof and artifact != "fig_ptb_curves")
    # Of the quick preset's one truncation length, all methods have run.
    assert ("No run" in caption) == (scene is not complete and (scene, artifact) != (stand_in, "fig_copy_progress"))
    assert caption.startswith("No runs found.") == (not figure.axes) == (scene is nothing)


def test_progress_shows_every_promotion_at_its_data(tmp_path, draw):
    write_copy(tmp_path, "jax", "repeat_copy", "dni_aux", 4, [12, 33], iterations=900, seeds=(3, 4))
    figure, points, caption = draw("fig_copy_progress")
    assert titles(figure) == ["Repeat Copy, T = 4"]
    assert legend(figure) == ["JAX", "paper's table", "BPTT", "DNI", "DNI + Aux"]
    ours = points[points["obtained"] == "run"]
    assert ours["event"].value_counts().to_dict() == {"promotion": 5 + 10, "start": 2, "end": 2}
    assert (ours["data"] == ours["iteration"] * 4 * 256).all()
    climbs = {seed: promotions("repeat_copy", task, 900, seed - 3) for seed, task in ((3, 12), (4, 33))}
    for seed, climb in climbs.items():
        mine = ours[(ours["seed"] == seed) & (ours["event"] == "promotion")]
        assert list(zip(mine["iteration"], mine["value"], strict=True)) == climb
        (end,) = ours[(ours["seed"] == seed) & (ours["event"] == "end")].to_dict("records")
        assert (end["iteration"], end["value"]) == (900, climb[-1][1])
    steps = [line for line in figure.axes[0].lines if line.get_drawstyle() == "steps-post"]
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    for seed, line, marks in zip(climbs, steps, dots, strict=True):
        millions = [iteration * 4 * 256 / 1e6 for iteration, _ in climbs[seed]]
        assert list(marks.get_xdata()) == pytest.approx(millions)
        rungs = [RUNGS["repeat_copy"].index(task) for _, task in climbs[seed]]
        assert [round(y) for y in marks.get_ydata()] == rungs
        assert np.ptp(np.array(marks.get_ydata()) - rungs) < 1e-9  # shifted by the same amount
        assert (
            line.get_xdata()[-1] == pytest.approx(900 * 4 * 256 / 1e6) and line.get_ydata()[-1] == marks.get_ydata()[-1]
        )
    assert "its steps have the same height though the lengths grow unevenly" in caption


def test_carried_states_have_a_figure_of_their_own(tmp_path, draw):
    write_copy(tmp_path, "jax", "copy", "bptt", 3, [5, 5], seeds=(0, 1), experiment="carried_state")
    write_copy(tmp_path, "jax", "copy", "bptt", 3, [9, 9], seeds=(0, 1))
    for artifact, longest, addition in (("fig_carried_state", 5, True), ("fig_copy_progress", 9, False)):
        figure, points, caption = draw(artifact)
        assert_legible(figure)
        assert points.loc[points["obtained"] == "run", "value"].max() == longest
        assert set(points.loc[points["obtained"] == "table", "value"]) > {8, 14, 5, 33}
        assert ("Not in the paper" in caption) == ("keeps its state from one sequence" in caption) == addition


def test_choices_about_repeat_copy_have_a_panel_each(tmp_path, draw):
    """Only where a setting ran, in the order of the changes, each with the paper's lengths."""
    figure, _, caption = draw("fig_repeat_copy_choices")
    assert not figure.axes and "No runs found" in caption
    module = registry.module("fig_repeat_copy_choices")
    for title, solved in (("sizes drawn", 12), ("read one step later", 5)):
        choices = module.SETTINGS[title]
        for method in ("bptt", "dni"):
            write_copy(
                *(tmp_path, "jax", "repeat_copy", method, 3, [solved, solved]),
                **{"seeds": (0, 1), "experiment": "repeat_copy_choices", "choices": choices},
            )
    figure, points, caption = draw("fig_repeat_copy_choices")
    assert_legible(figure)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["read one step later", "sizes drawn"]
    ours = points[points["obtained"] == "run"]
    assert ours.groupby("setting")["value"].max().to_dict() == {"sizes drawn": 12, "read one step later": 5}
    assert points[points["obtained"] == "table"].groupby("setting")["value"].apply(sorted).to_dict() == {
        title: [5, 33, 59] for title in ("sizes drawn", "read one step later")
    }
    assert "Not in the paper" in caption


def test_the_papers_lengths_stand_at_the_right_edge(tmp_path, draw):
    for dataset in RUNGS:
        write_copy(tmp_path, "jax", dataset, "bptt", 3, [5, 5], seeds=(0, 1))
    figure, points, _ = draw("fig_copy_progress")
    assert len(points[points["source"] == "paper"]) == 24
    copy, repeat_copy = figure.axes
    for axes, dataset, published in ((copy, "copy", [8, 14, 17]), (repeat_copy, "repeat_copy", [5, 33, 59])):
        marks = [line for line in axes.lines if line.get_marker() == "D"]
        assert [round(line.get_ydata()[0]) for line in marks] == [RUNGS[dataset].index(value) for value in published]
        assert {line.get_xdata()[0] for line in marks} == {axes.get_xlim()[1]}
    labels = [label.get_text() for label in repeat_copy.get_yticklabels()]
    assert labels[0] == "none" and labels[1] in map(str, RUNGS["repeat_copy"])


def test_a_climb_ends_where_its_replica_diverged(tmp_path, draw):
    write_copy(tmp_path, diverged={1: 500_000}, seeds=(5, 6, 7))
    figure, points, caption = draw("fig_copy_progress")
    last = points[points["event"].isin(["end", "diverged"]) & (points["obtained"] == "run")].set_index("seed")
    assert last["event"].to_dict() == {5: "end", 6: "diverged", 7: "end"}
    assert last["iteration"].to_dict() == {5: 2_500_000, 6: 500_000, 7: 2_500_000}
    (cross,) = [line for line in figure.axes[0].lines if line.get_marker() == "X"]
    assert cross.get_xdata()[0] == pytest.approx(500_000 * 3 * 256 / 1e6)
    assert "Replicas that diverged (crosses): Copy, T = 3 (DNI (1 of 3))." in caption
    assert "No run in JAX. No run: Copy, T = 3 (BPTT, DNI + Aux)." in caption


def test_the_papers_lengths_are_not_shown_beside_characters_of_fewer_bits(tmp_path, draw):
    write_copy(tmp_path, changed_choices=["character_bits = 2 (default: 8)"])
    _, points, caption = draw("fig_copy_progress")
    assert set(points["obtained"]) == {"run"} and "characters of fewer bits" in caption


def test_other_cores_are_in_none_of_the_figures(tmp_path, draw):
    cell = {"dataset": "copy", "model": "rnn", "method": "dni", "truncation_length": 3}
    write_recurrent(tmp_path, "torch", cell, [(0, 0, "curriculum", "max_solved_task_length", 0)], (0,), 10, 10)
    for artifact in FIGURES:
        _, points, _ = draw(artifact)
        assert "run" not in set(points["obtained"])


def test_ptb_curves_are_over_the_papers_at_iterations_times_t(tmp_path, draw):
    for method, length in (("bptt", 20), ("dni", 8)):
        write_ptb(tmp_path, "jax", method, length)
    figure, points, caption = draw("fig_ptb_curves")
    assert (points["time_steps"] == points["iteration"] * points["truncation_length"]).all()
    assert titles(figure) == ["BPTT", "DNI"]
    bptt, dni = figure.axes
    dashed = {axes: [line for line in axes.lines if line.get_marker() == "s"] for axes in figure.axes}
    assert [len(dashed[axes]) for axes in (bptt, dni)] == [3, 1]
    assert list(dashed[dni][0].get_xdata())[:2] == [160_000, 200_000]
    assert list(dashed[dni][0].get_ydata())[:2] == [1.444, 1.412]
    (ours,) = [
        line
        for line in bptt.lines
        if line.get_linewidth() == style.FRAMEWORK_LINES["jax"]["linewidth"] and line.get_linestyle() == "-"
    ]
    assert list(ours.get_xdata()) == [5000 * 20 * k for k in range(1, 20)]
    low, high = bptt.get_ylim()
    assert 1.3 < low < 1.34 and 1.6 < high < 1.8  # so narrow that the ends of the curves can be told apart
    assert "Dashed: the paper's curves" in caption and "entropy" not in caption
    assert "DNI + Aux (all)" in caption


def test_a_stand_in_text_shows_its_limit_and_no_curve_of_another_text(tmp_path, draw):
    stand_in(tmp_path)
    figure, points, caption = draw("fig_ptb_curves")
    assert set(points["obtained"]) == {"run"}
    for axes in figure.axes:
        limits = [line for line in axes.lines if list(line.get_ydata()) == [ENTROPY_RATE] * 2]
        assert len(limits) == 1 and not [line for line in axes.lines if line.get_marker() == "s"]
        low, high = axes.get_ylim()
        assert 2.1 < low < ENTROPY_RATE and high > points["value"].min() + 0.15
    assert "limit: the stand-in's entropy rate (2.31 bits)" in legend(figure) and "paper's plot" not in legend(figure)
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


@pytest.mark.slow("writes two figures in every format, twice")
def test_the_five_files_and_the_stamp(tmp_path):
    run = write_copy(tmp_path, iterations=1000)
    for artifact in ("fig_copy_progress", "fig_boundary_quality"):
        written = registry.module(artifact).make(tmp_path)
        assert list(written) == [".pdf", ".svg", ".png", ".csv", ".json"]
        (stamped,) = json.loads(written[".json"])["stamp"]["runs"]
        assert stamped["path"] == (run / "run.json").relative_to(tmp_path).as_posix()
        assert registry.module(artifact).make(tmp_path)[".svg"] == written[".svg"]
