"""Two networks at two rates: its two figures."""

import itertools
import json
import math
import re

import numpy as np
import pandas as pd
import pytest

from paper_figures import registry
from paper_figures.artifacts import fig_two_network
from paper_figures.claims.estimates import mean_of
from paper_figures.drawing import style
from tests.support.figure_assertions import assert_legible, assert_words_are_in_the_caption, legend
from tests.support.two_network_runs import BATCH, JOINT, LATE, METHODS, NEVER, QUICK, SOON, SOONER, curves, write_two

FIGURES = ("fig_two_network", "fig_two_network_periods")


def complete(results, frameworks=("torch", "jax"), **changes):
    """All cells of a preset; DNI's steps take longer."""
    for framework, method, period in itertools.product(frameworks, METHODS, (2, 4, 8)):
        if method != "no_bprop" or period == 4:
            speed = 100 if method == "bprop" else 150 / period
            settings = {"every": 5_000, "model_steps_per_second": speed, **changes}
            write_two(results, framework, method, period, **settings)


def diverged(results):
    """In PyTorch a replica of DNI and of joint backprop, in JAX all of DNI."""
    for framework, method, period in itertools.product(("torch", "jax"), METHODS, (2, 4, 8)):
        lost = {"no_bprop": 0, "dni": 1 if framework == "torch" else 3}.get(method, period == 2)
        errors = {network: curves(method, network, diverged=lost) for network in "ab"}
        write_two(results, framework, method, period, every=5_000, **errors)


def stand_in(results):
    """The quick preset: nothing is comparable, and B does not reach the goal."""
    complete(results, stand_in=True, every=10, **QUICK)


def smoke(results):
    """One tiny cell in each framework, of one replica and evaluated twice."""
    for framework in ("torch", "jax"):
        write_two(results, framework, a=[[93, 92, 91]], b=[[99, 98, 97]], every=10, stand_in=True, **QUICK)


def nothing(results):
    pass


SCENES = [complete, diverged, stand_in, smoke, nothing]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
@pytest.mark.parametrize("artifact", FIGURES)
def test_every_figure_is_legible_and_says_what_is_behind_it(folder_of, draw, artifact, scene):
    figure, _, caption = draw(artifact, folder_of(scene))
    assert_legible(figure)
    assert figure.get_figwidth() <= style.WIDTHS[2]
    labelled = scene in (stand_in, smoke)
    if (artifact, scene) != ("fig_two_network_periods", smoke):  # DNI alone
        assert_words_are_in_the_caption(figure, labelled)
    assert caption.startswith("STAND-IN") == labelled
    assert ("hidden_units = 64 (paper: 256)" in caption) == labelled
    assert ("Not in the paper" in caption) == (artifact == "fig_two_network_periods")
    assert "(paper: 500,000)" not in caption
    if scene is nothing:
        assert caption.startswith("No runs found.") and not figure.axes
    for sentence in SAID.get((artifact, scene), []):
        assert sentence in caption
    assert scene is not complete or not re.search(r"No run|diverged \(|Not reached|No goal:|alone", caption)


NETWORKS = "Network A: odd digits among T ({0}), Network B: threes among T² ({0})."
SAID = {
    ("fig_two_network", diverged): ["Replicas that diverged (crosses): PyTorch decoupled with DNI (1 of 3); JAX"],
    ("fig_two_network", smoke): ["One replica alone: decoupled with DNI.", "No run: joint backprop, decoupled without"],
    ("fig_two_network_periods", diverged): [
        "Not reached (crosses): " + NETWORKS.format("PyTorch T = 4, 8 (1 of 3); JAX T = 2 (2 of 3), T = 4, 8 (3 of 3)"),
        "No goal: " + NETWORKS.format("T = 2 (1 of 3)"),
    ],
    ("fig_two_network_periods", smoke): ["No run of DNI together with joint backprop."],
}


def test_the_curves_are_means_against_digits_and_updates_of_a(tmp_path, draw):
    for method in METHODS:
        write_two(tmp_path, "jax", method, a=[[90, 30, 10], [90, 40, 12], [90, 20, 14]], b=[[90, 60, 50]] * 3)
    figure, points, caption = draw("fig_two_network")
    ends = points[points["iteration"] == 100_000].set_index(["method", "metric"])
    assert len(points) == 3 * 2 * 3 and set(points["source"]) == {"jax"} and set(points["period"]) == {4}
    assert set(ends["digits"]) == {100_000 * 16 * BATCH}
    assert ends["updates_of_a"].to_dict() == {
        (method, metric): 100_000 * (1 if method == "bprop" else 4)
        for method in METHODS
        for metric in ("error_a", "error_b")
    }
    assert ends.loc[("dni", "error_a"), ["value", "low", "high"]].to_list() == pytest.approx(
        [12, *mean_of([10, 12, 14]).interval()], rel=1e-5
    )
    above, below = figure.axes
    for axes, last in ((above, 12), (below, 50)):
        ours = [line for line in axes.lines if line.get_linewidth() == style.FRAMEWORK_LINES["jax"]["linewidth"]]
        assert [list(line.get_xdata()) for line in ours] == [[204.8, 409.6]] * 3  # millions
        assert [line.get_ydata()[-1] for line in ours] == [last] * 3
        assert [line.get_color() for line in ours] == list(fig_two_network.COLOURS.values())
    assert legend(figure) == ["JAX", "best constant guess", *fig_two_network.NAMES.values()]
    assert "(3), with the 95% t interval" in caption
    updates = "joint backprop 100,000 (one per 4,096 digits); decoupled with DNI 400,000 (one per 1,024 digits); "
    assert (
        f"Updates of A up to the ends of the curves: {updates}decoupled without DNI 400,000 (one per 1,024" in caption
    )
    assert "shows its curves without numbers" in caption


def test_frameworks_of_different_length_have_each_their_updates(tmp_path, draw):
    write_two(tmp_path, "torch", "dni", a=[JOINT] * 2, b=[JOINT] * 2)
    write_two(tmp_path, "jax", "dni", a=[JOINT[:3]] * 2, b=[JOINT[:3]] * 2, iterations=200_000)
    _, _, caption = draw("fig_two_network")
    assert "up to the ends of the curves: decoupled with DNI 400,000 or 800,000 (one per 1,024 digits)." in caption
    assert "1 of 2 runs unfinished" in caption


@pytest.mark.parametrize("errors", [None, [[93, 92, 91]], [[9, 8, 7]]])  # on both sides of the guess, above, below
def test_the_best_constant_guess_is_a_line_in_both_panels(tmp_path, draw, errors):
    write_two(tmp_path, a=errors, b=errors)
    figure, points, caption = draw("fig_two_network")
    assert points.groupby("metric")["constant_guess"].unique().map(list).to_dict() == {
        "error_a": [62.5],
        "error_b": [67.25],
    }
    for axes, guess in zip(figure.axes, (62.5, 67.25), strict=True):
        (line,) = [line for line in axes.lines if list(line.get_ydata()) == [guess] * 2]
        assert line.is_dashed() and line.get_color() == style.FAINT
        assert axes.get_ylim()[0] < guess < axes.get_ylim()[1]
    assert "best constant guess" in legend(figure) and "Dotted: the error of the best constant guess" in caption


def test_other_cells_are_in_neither_figure(tmp_path, draw):
    write_two(tmp_path, period=3)
    write_two(tmp_path, method="bprop", period=3)
    write_two(tmp_path, period=8)
    write_two(tmp_path, method="no_bprop", period=8)
    for artifact in FIGURES:
        figure, points, caption = draw(artifact)
        assert points.empty and not figure.axes
    assert "No runs found" not in caption  # DNI at T = 8 is there, and has nothing to be compared with


def at(points, **place):
    """The one row with these values."""
    (found,) = points[(points[list(place)] == pd.Series(place)).all(axis=1)].to_dict("records")
    return found


def test_periods_are_compared_in_digits_and_in_seconds(tmp_path, draw):
    """In seconds by the two runs' own speeds: here an iteration of DNI takes two and a half times as long."""
    write_two(tmp_path, "jax", "bprop", 2, a=[JOINT] * 2, b=[JOINT] * 2, model_steps_per_second=100.0)
    write_two(tmp_path, "jax", "dni", 2, a=[SOONER, SOON], b=[LATE] * 2, model_steps_per_second=40.0)
    # Half as many iterations with twice the batch: the same digits.
    write_two(tmp_path, "torch", "bprop", 8, a=[JOINT] * 2, b=[JOINT] * 2, model_steps_per_second=100.0)
    wide = {"batch": 2 * BATCH, "every": 25_000, "model_steps_per_second": 40.0}
    write_two(tmp_path, "torch", "dni", 8, a=[[*SOONER, 0, 0, 0, 0]] * 2, b=[[*SOON, 0, 0, 0, 0]] * 2, **wide)
    # One method from each framework: nothing to compare.
    write_two(tmp_path, "torch", "bprop", 4)
    write_two(tmp_path, "jax", "dni", 4)
    figure, points, caption = draw("fig_two_network_periods")
    assert len(points) == 8 and set(points["iteration"]) == {200_000}
    first, last = 70 / 150, 100 / 150
    for clock, factor in (("digits", 1), ("seconds", 2.5)):
        found = at(points, network="a", period=2, clock=clock)
        assert found["source"] == "jax" and (found["n"], found["n_never"], found["n_no_goal"]) == (2, 0, 0)
        interval = mean_of([factor * first, factor * last]).interval()
        assert (found["value"], found["low"], found["high"]) == pytest.approx(
            (factor * (first + last) / 2, *interval), rel=1e-5
        )
        assert at(points, network="b", period=2, clock=clock)["value"] == pytest.approx(factor * 175 / 150, rel=1e-5)
    assert at(points, network="a", period=8, clock="digits")["value"] == pytest.approx(first, rel=1e-5)
    assert at(points, network="a", period=8, clock="seconds")["value"] == pytest.approx(first * 2.5 / 2, rel=1e-5)
    left, right = figure.axes
    for axes, network in ((left, "a"), (right, "b")):
        drawn = {(round(y), x) for line in axes.lines if line.get_marker() == "o" for x, y in line.get_xydata()}
        mine = points[points["network"] == network]
        expected = {({2: 0, 8: 1}[period], value) for period, value in zip(mine["period"], mine["value"], strict=True)}
        assert np.array(sorted(drawn)) == pytest.approx(np.array(sorted(expected)), rel=1e-5)
        assert [label.get_text() for label in left.get_yticklabels()] == ["T = 2", "T = 8"]
    assert "No run: " + NETWORKS.format("PyTorch T = 2, 4; JAX T = 4, 8") in caption
    assert "for pairs of replicas with the same seed; below 1, DNI needs less" in caption


def test_what_has_no_ratio_is_counted_and_marked(tmp_path, draw):
    """Pairs that never reach the goal: some at T = 2, all at 4. At 8 joint backprop has not learnt, so sets no goal."""
    idle = [90, 70, 65, 64, 63]
    write_two(tmp_path, method="bprop", period=2, a=[JOINT] * 3)
    write_two(tmp_path, method="dni", period=2, a=[SOON, SOON, NEVER])
    write_two(tmp_path, method="bprop", period=4, a=[JOINT] * 3)
    write_two(tmp_path, method="dni", period=4, a=[NEVER] * 3)
    write_two(tmp_path, method="bprop", period=8, a=[JOINT, idle, idle])
    write_two(tmp_path, method="dni", period=8, a=[SOON] * 3)
    figure, points, caption = draw("fig_two_network_periods")
    counts = {period: at(points, network="a", period=period, clock="digits") for period in (2, 4, 8)}
    assert {period: (row["n"], row["n_never"], row["n_no_goal"]) for period, row in counts.items()} == {
        2: (2, 1, 0),
        4: (0, 3, 0),
        8: (1, 0, 2),
    }
    assert counts[2]["value"] == counts[8]["value"] == pytest.approx(100 / 150, rel=1e-5)
    assert math.isnan(counts[4]["value"]) and math.isnan(counts[8]["low"])
    axes = figure.axes[0]
    crosses = [line for line in axes.lines if line.get_marker() == "X"]
    at_the_edge = [line for line in crosses if line.get_transform() == axes.get_yaxis_transform()]
    assert sorted(round(line.get_ydata()[0]) for line in crosses) == [0, 0, 1, 1]
    assert [(line.get_xdata()[0], round(line.get_ydata()[0])) for line in at_the_edge] == [(0.97, 1), (0.97, 1)]
    assert "No run in JAX." in caption and "No goal: Network A: odd digits among T (T = 8 (2 of 3))" in caption
    assert "Not reached (crosses): Network A: odd digits among T (T = 2 (1 of 3), T = 4 (3 of 3))." in caption
    assert_legible(figure)


def test_without_a_speed_there_are_no_seconds(tmp_path, draw):
    write_two(tmp_path, method="bprop", model_steps_per_second=None)
    write_two(tmp_path)
    _, points, _ = draw("fig_two_network_periods")
    assert list(points["clock"]) == ["digits"] * 2


@pytest.mark.slow("writes two figures in every format, twice")
def test_the_five_files_and_the_stamp(tmp_path):
    for method in METHODS:
        write_two(tmp_path, method=method)
    for artifact, methods in zip(FIGURES, (METHODS, METHODS[:2]), strict=True):
        written = registry.module(artifact).make(tmp_path)
        assert list(written) == [".pdf", ".svg", ".png", ".csv", ".json"]
        stamped = [
            run["path"].split("method~")[1].split("/")[0] for run in json.loads(written[".json"])["stamp"]["runs"]
        ]
        assert stamped == list(methods)
        assert registry.module(artifact).make(tmp_path)[".svg"] == written[".svg"]
