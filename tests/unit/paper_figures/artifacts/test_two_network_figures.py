"""Two networks at two rates: how its claims are read, and its two figures."""

import io
import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest

from impls.experiments.two_network.spec import Spec
from paper_figures import artifacts
from paper_figures.artifacts import fig_two_network
from paper_figures.claims.statistics import t_interval
from paper_figures.drawing import style
from tests.unit.paper_figures.artifacts.test_feedforward_figures import assert_legible, notes
from tests.unit.paper_figures.claims.test_judging import judged, row
from tests.unit.paper_figures.test_runs import STAND_INS, write_files

FIGURES = ("fig_two_network", "fig_two_network_periods")
METHODS = ("bprop", "dni", "no_bprop")
BATCH = 256
GUESS = {"a": 62.5, "b": 67.25}
QUICK = {"preset": "quick", "differs_from_paper": ["hidden_units = 64 (paper: 256)"]}


def write_two(
    results,
    framework="torch",
    method="dni",
    period=4,
    a=None,
    b=None,
    every=50_000,
    iterations=None,
    seeds=None,
    batch=BATCH,
    stand_in=False,
    **record,
):
    """A run whose test errors are given.

    Args:
        a, b: [replicas][evaluations] errors of the two networks, an evaluation each `every` iterations; where one is
            not given it is made up from the method.
        iterations: how long it was to be; not given: as long as it is.
    """
    shape = {"replicas": len(a or b), "evaluations": len((a or b)[0])} if a or b else {}
    a, b = (given or curves(method, network, **shape) for network, given in (("a", a), ("b", b)))
    seeds = range(len(a)) if seeds is None else seeds
    cell = {"dataset": "mnist", "model": "lstm", "method": method, "period": period}
    rows = [
        (replica, seeds[replica], number * every, "test", metric, error)
        for metric, values in (("error_a", a), ("error_b", b), ("loss", a))
        for replica, curve in enumerate(values)
        for number, error in enumerate(curve)
    ]
    frame = pd.DataFrame(rows, columns=["replica", "seed", "iteration", "split", "metric", "value"])
    reached = every * (len(a[0]) - 1)
    iterations = reached if iterations is None else iterations
    description = STAND_INS["mnist"] if stand_in else "the original files"
    data = {"name": "mnist", "source": "stand-in" if stand_in else "original", "description": description}
    kept = {
        "spec": {**cell, "iterations": iterations, "batch_size": batch, "evaluation_streams": 2000},
        "seeds": list(seeds),
        "preset": "paper",
        "status": "complete" if reached == iterations else "partial",
        "iteration_reached": reached,
        "iterations": iterations,
        "diverged_seeds": sorted(set(frame.loc[~np.isfinite(frame["value"]), "seed"].tolist())),
        "differs_from_paper": [],
        "changed_choices": [],
        "data": [{**data, "files": {"train-images-idx3-ubyte.gz": "0" * 64}}],
        "facts": {
            "digits_per_iteration": float(period**2 * batch),
            "updates_of_a_per_iteration": 1.0 if method == "bprop" else float(period),
            "updates_of_b_per_iteration": 1.0,
            **{f"constant_guess_error_{network}": error for network, error in GUESS.items()},
        },
        **record,
    }
    return write_files(results, framework, "two_network", cell, frame, **kept)


def curves(method, network, evaluations=41, replicas=3, diverged=0):
    """Errors that fall, DNI's sooner than joint backprop's; B's without DNI hardly. The first `diverged` are lost."""
    sooner = {"bprop": 1, "dni": 3, "no_bprop": 4}[method] / (2 if network == "b" else 1)
    idle = (method, network) == ("no_bprop", "b")
    steps = np.linspace(0, 1, evaluations)
    falling = 66 + 25 * np.exp(-30 * steps) if idle else 4 + 90 * np.exp(-2.5 * np.sqrt(2 * sooner * steps))
    found = [falling * (1 + 0.03 * replica) for replica in range(replicas)]
    return [
        [math.nan if replica < diverged and step > 0.08 else error for error, step in zip(curve, steps, strict=True)]
        for replica, curve in enumerate(found)
    ]


def write_pair(results, joint, own, network="a", framework="torch", joint_changes=None, **changes):
    """Joint backprop and DNI whose errors of one network are given; those of the other are made up."""
    write_two(results, framework, "bprop", **{network: joint}, **{**changes, **(joint_changes or {})})
    write_two(results, framework, "dni", **{network: own}, **changes)


def claim(results, metric, framework="torch"):
    method = "no_bprop" if metric == "excess_over_guess_b" else "dni"
    return row(judged(results), framework, f"fig_two_network/mnist/lstm/{method}/period~4/{metric}")


# Claims. Evaluated at 0, 50,000, 100,000, 150,000 and 200,000.

JOINT = [90, 40, 20, 10, 10]  # its last error first at 150,000
SOON = [90, 20, 10, 8, 8]  # at 100,000
SOONER = [90, 14, 4, 6, 12]  # two fifths of the way from 50,000 to 100,000: at 70,000
LATE = [90, 60, 40, 20, 0]  # half of the way from 150,000 to 200,000: at 175,000
NEVER = [90, 60, 40, 20, 10.5]


@pytest.mark.parametrize("network", ["a", "b"])
def test_the_share_of_the_steps_is_that_of_pairs_of_one_seed(tmp_path, network):
    other = [90, 50, 40, 25, 25]  # its last error first at 150,000 too; SOONER comes to it at 50,000 * 65 / 76
    joint, own = {network: [JOINT, other]}, {network: [SOON, SOONER]}
    write_two(tmp_path, method="bprop", **joint)
    write_two(tmp_path, **own)
    found = claim(tmp_path, f"steps_fraction_{network}")
    assert found["ours"] == pytest.approx((100 / 150 + 50 * 65 / 76 / 150) / 2, rel=1e-5)
    assert (found["n"], found["ours_iteration"]) == (2, 200_000) and "method~dni" in found["run"]
    # Joint backprop's seeds are others: the pairs follow them. No other framework's run is taken.
    write_two(tmp_path / "turned", method="bprop", seeds=(1, 7), **joint)
    write_two(tmp_path / "turned", **own)
    write_two(tmp_path / "turned", "jax", "bprop")
    found = claim(tmp_path / "turned", f"steps_fraction_{network}")
    assert (found["n"], found["ours"]) == (1, pytest.approx(70 / 150))


def test_steps_are_digits(tmp_path):
    """With half the batch an iteration counts half; such a run is not comparable as its record says so."""
    write_pair(tmp_path, [JOINT] * 2, [SOON] * 2, joint_changes={"batch": 2 * BATCH})
    assert claim(tmp_path, "steps_fraction_a")["ours"] == pytest.approx(100 / 300)


@pytest.mark.parametrize(
    ("own", "network", "verdict"),
    [
        ([SOONER, SOONER, SOONER], "a", "reproduced"),  # 70 of 150
        ([SOONER, SOON, SOONER], "a", "inconclusive"),
        ([SOON, SOON, SOON], "a", "differs (worse)"),
        ([SOONER], "a", "inconclusive"),
        ([SOON, SOON, SOON], "b", "reproduced"),  # 100 of 150, of which the paper says less
        ([LATE, LATE, LATE], "b", "differs (worse)"),
    ],
)
def test_a_share_is_held_against_the_papers_bound(tmp_path, own, network, verdict):
    write_pair(tmp_path, [JOINT] * len(own), own, network)
    found = claim(tmp_path, f"steps_fraction_{network}")
    assert (found["verdict"], found["n"]) == (verdict, len(own))
    if len(own) == 3 and verdict != "inconclusive":
        assert "one-sided 95%" in found["why"] and "(all replicas are equal)" in found["why"]


def test_a_replica_that_never_comes_so_low_counts_against_the_claim(tmp_path):
    write_pair(tmp_path, [JOINT] * 3, [SOONER, NEVER, [90, 30, math.nan, math.nan, math.nan]])
    found = claim(tmp_path, "steps_fraction_a")
    assert (found["verdict"], found["n"], found["n_diverged"]) == ("differs (worse)", 1, 2)
    assert found["why"] == "2 of 3 replicas never came so low" and found["ours"] == pytest.approx(70 / 150)


@pytest.mark.parametrize(
    ("joint", "why", "n"),
    [
        # The constant guess is 62.5, and two standard errors of 2,000 streams are 2.165.
        ([[90, 70, 65, 64, 60.34]] * 2, "2 replicas of method~bprop did not learn", 0),
        ([[90, 70, 65, 64, 60.34], [90, 70, 65, 61, 60.33]], "1 replicas of method~bprop did not learn", 1),
        ([[40, 50, 60, 50, 45]] * 2, "2 replicas of method~bprop did not learn", 0),  # worse than at its start
        ([JOINT, [90, 70, 65, 64, 63]], "1 replicas of method~bprop did not learn", 1),
        ([JOINT, [90, 40, math.nan, math.nan, math.nan]], "1 replicas of method~bprop diverged", 1),
    ],
)
def test_joint_backprop_that_has_not_learnt_sets_no_goal(tmp_path, joint, why, n):
    write_pair(tmp_path, joint, [SOON] * 2)
    found = claim(tmp_path, "steps_fraction_a")
    assert (found["verdict"], found["why"], found["n"]) == ("not comparable", why, n)
    if n and joint[0] is JOINT:
        assert found["ours"] == pytest.approx(100 / 150)


def test_both_are_compared_where_both_have_come_to(tmp_path):
    """At the claim's iteration at the latest; a run cut short is not comparable, and shows what it has."""
    longer = [[*curve, 1, 1] for curve in (JOINT, SOON)]
    write_pair(tmp_path / "long", [longer[0]] * 2, [longer[1]] * 2)
    found = claim(tmp_path / "long", "steps_fraction_a")
    assert (found["verdict"], found["ours_iteration"]) == ("differs (worse)", 200_000)
    assert found["ours"] == pytest.approx(100 / 150)
    late = [90, 80, 70, 60, 50, 1, 1]  # after the claim's iteration
    write_pair(tmp_path / "late", [longer[0]] * 2, [late] * 2)
    assert claim(tmp_path / "late", "steps_fraction_a")["why"] == "2 of 2 replicas never came so low"
    for cut, whole in itertools.permutations(("bprop", "dni")):
        folder = tmp_path / cut
        write_two(folder, method=cut, a=[{"bprop": JOINT, "dni": SOON}[cut][:3]] * 2, iterations=200_000)
        write_two(folder, method=whole, a=[{"bprop": JOINT, "dni": SOON}[whole]] * 2)
        found = claim(folder, "steps_fraction_a")
        assert (found["verdict"], found["why"]) == ("not comparable", "100000 of 200000 iterations")
        assert found["ours"] == pytest.approx(0.5) and found["ours_iteration"] == 100_000  # to 20, at 50,000


DIFFERENCE = "final_difference_b"


@pytest.mark.parametrize(
    ("own", "ours", "verdict"),
    [
        ([11, 21, 31], 1, "reproduced"),
        ([12, 22, 32], 2, "differs (worse)"),
        ([8, 18, 28], -2, "differs (better)"),
        ([10, 21, 30.5], 0.5, "reproduced"),
        ([5, 20, 38], 1, "consistent"),
    ],
)
def test_the_final_difference_is_that_of_pairs_of_one_seed(tmp_path, own, ours, verdict):
    joint, own = ([[90, 50, 40, 40, end] for end in ends] for ends in ([10, 20, 30], own))
    write_pair(tmp_path, joint, own, "b")
    found = claim(tmp_path, DIFFERENCE)
    assert (found["ours"], found["verdict"]) == (pytest.approx(ours), verdict)
    assert found["n"] == 3 and found["ours_iteration"] == 200_000
    if verdict != "consistent":  # replicas that end far apart, and close to those of their own seed
        assert found["high"] - found["low"] < 3


def test_a_final_difference_needs_whole_replicas_of_both(tmp_path):
    lost = [90, 50, math.nan, math.nan, math.nan]
    write_pair(tmp_path / "own", [JOINT] * 3, [JOINT, JOINT, lost], "b")
    found = claim(tmp_path / "own", DIFFERENCE)
    assert (found["verdict"], found["why"]) == ("differs (worse)", "1 of 3 replicas diverged")
    write_pair(tmp_path / "joint", [JOINT, JOINT, lost], [JOINT] * 3, "b")
    found = claim(tmp_path / "joint", DIFFERENCE)
    assert (found["verdict"], found["n"]) == ("not comparable", 2)
    assert found["why"] == "1 replicas of method~bprop diverged"


EXCESS = "excess_over_guess_b"


@pytest.mark.parametrize(
    ("ends", "ours", "verdict"),
    [
        ([66, 66, 66], 1.25, "reproduced"),
        ([70, 70, 70], -2.75, "reproduced"),
        ([60, 60.25, 60.5], 7, "differs (better)"),  # B has learnt something
        ([75, 75.25, 75.5], -8, "differs (worse)"),
    ],
)
def test_what_b_learns_without_dni_is_held_against_the_constant_guess(tmp_path, ends, ours, verdict):
    write_two(tmp_path, method="no_bprop", b=[[90, 70, 1, 1, end] for end in ends])
    found = claim(tmp_path, EXCESS)
    assert (found["ours"], found["verdict"]) == (pytest.approx(ours), verdict)
    assert found["ours_iteration"] == 200_000


@pytest.mark.parametrize("metric", ["steps_fraction_a", "steps_fraction_b", DIFFERENCE, EXCESS])
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"stand_in": True}, "stand-in data"),
        ({"differs_from_paper": ["hidden_units = 64 (paper: 256)"]}, "hidden_units = 64 (paper: 256)"),
        ({"changed_choices": ["iterations = 2000 (default: 200000)"]}, "iterations = 2000 (default: 200000)"),
        ({"every": 500}, "2000 of 200000 iterations"),
    ],
)
def test_other_conditions_are_shown_and_never_reproduced(tmp_path, metric, changes, why):
    for method in METHODS:
        own = SOONER if method == "dni" else JOINT
        write_two(tmp_path, method=method, a=[own] * 3, b=[own] * 3, **changes)
    found = claim(tmp_path, metric)
    assert (found["verdict"], found["why"], found["n"]) == ("not comparable", why, 3)
    expected = {DIFFERENCE: 2, EXCESS: 57.25}.get(metric, 70 / 150)
    assert found["ours"] == pytest.approx(expected)
    assert claim(tmp_path, metric, "jax")["verdict"] == "missing"


@pytest.mark.parametrize("metric", ["steps_fraction_a", "steps_fraction_b", DIFFERENCE])
def test_a_comparison_without_joint_backprop_is_missing(tmp_path, metric):
    write_two(tmp_path)
    write_two(tmp_path, "jax", "bprop")  # of the other framework
    write_two(tmp_path, method="bprop", period=2)  # and with another period
    found = claim(tmp_path, metric)
    assert (found["verdict"], found["why"]) == ("missing", "no run of method~bprop to compare with")
    write_two(tmp_path / "seeds", seeds=(0, 1, 2))
    write_two(tmp_path / "seeds", method="bprop", seeds=(3, 4, 5))
    found = claim(tmp_path / "seeds", metric)
    assert found["verdict"] == "missing" and found["why"].startswith("no seed in common with a whole replica")


def test_the_guesses_of_the_spec_are_what_the_measures_read():
    labels = np.repeat([1, 2, 3, 4], [3, 4, 1, 2])
    facts = Spec().facts({"test": (np.zeros((10, 28, 28), np.uint8), labels)})
    assert facts["digits_per_iteration"] == 4096 and facts["updates_of_a_per_iteration"] == 4
    assert {f"constant_guess_error_{network}" for network in "ab"} < set(facts)


# Figures.


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
    """The quick preset: nothing is comparable, and B comes to no goal."""
    complete(results, stand_in=True, every=10, **QUICK)


def smoke(results):
    """One tiny cell in each framework, of one replica and evaluated twice."""
    for framework in ("torch", "jax"):
        write_two(results, framework, a=[[93, 92, 91]], b=[[99, 98, 97]], every=10, stand_in=True, **QUICK)


def nothing(results):
    pass


SCENES = [complete, diverged, stand_in, smoke, nothing]


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
    labelled = scene in (stand_in, smoke)
    assert (data.get_color() == style.ALARM) == data.get_text().startswith("STAND-IN") == labelled
    assert ("hidden_units = 64 (paper: 256)" in settings) == labelled
    assert ("Not in the paper" in settings) == (artifact == "fig_two_network_periods")
    assert "(paper: 500,000)" not in settings
    if scene is nothing:
        assert data.get_text() == "No runs found: the panels are empty."
    assert [notes(axes) for axes in figure.axes] == SAID.get((artifact, scene), ["", ""])


SAID = {
    ("fig_two_network", diverged): ["× diverged: PyTorch DNI (1 of 3); JAX DNI (3 of 3)"] * 2,
    ("fig_two_network", smoke): ["one replica: DNI missing: joint, without"] * 2,
    ("fig_two_network", nothing): ["missing: all"] * 2,
    ("fig_two_network_periods", diverged): [
        " × never so low: PyTorch T = 4, 8 (1 of 3); JAX T = 2 (2 of 3), T = 4, 8 (3 of 3) no goal: T = 2 (1 of 3)"
    ]
    * 2,
    ("fig_two_network_periods", smoke): ["missing: all"] * 2,
    ("fig_two_network_periods", nothing): ["missing: all"] * 2,
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
        [12, *t_interval([10, 12, 14])], rel=1e-5
    )
    above, below = figure.axes
    for axes, last in ((above, 12), (below, 50)):
        ours = [line for line in axes.lines if line.get_marker() == "o"]
        assert [list(line.get_xdata()) for line in ours] == [[204.8, 409.6]] * 3  # millions
        assert [line.get_ydata()[-1] for line in ours] == [last] * 3
        assert [line.get_color() for line in ours] == list(fig_two_network.COLOURS.values())
        assert {"joint", "DNI", "without"} < {text.get_text() for text in axes.texts}
    assert "(3), with the 95% t interval" in caption
    updates = "joint backprop 100,000 (one for 4,096 digits); decoupled with DNI 400,000 (one for 1,024 digits); "
    assert f"Updates of A by the ends of the curves: {updates}decoupled without DNI 400,000 (one for 1,024" in caption
    assert "shows its curves without numbers" in caption


def test_frameworks_of_different_length_have_each_their_updates(tmp_path, draw):
    write_two(tmp_path, "torch", "dni", a=[JOINT] * 2, b=[JOINT] * 2)
    write_two(tmp_path, "jax", "dni", a=[JOINT[:3]] * 2, b=[JOINT[:3]] * 2, iterations=200_000)
    _, _, caption = draw("fig_two_network")
    assert "by the ends of the curves: decoupled with DNI 400,000 or 800,000 (one for 1,024 digits)." in caption
    assert "1 of 2 runs unfinished" in caption


@pytest.mark.parametrize("errors", [None, [[93, 92, 91]], [[9, 8, 7]]])  # on both sides of the guess, above, below
def test_the_best_constant_guess_is_a_labelled_line_in_both_panels(tmp_path, draw, errors):
    write_two(tmp_path, a=errors, b=errors)
    figure, points, caption = draw("fig_two_network")
    assert points.groupby("metric")["constant_guess"].unique().map(list).to_dict() == {
        "error_a": [62.5],
        "error_b": [67.25],
    }
    for axes, guess, label in zip(figure.axes, (62.5, 67.25), ("guess 62.5%", "guess 67.2%"), strict=True):
        (line,) = [line for line in axes.lines if list(line.get_ydata()) == [guess] * 2]
        assert line.is_dashed() and line.get_color() == style.FAINT
        assert label in {text.get_text() for text in axes.texts}
        assert axes.get_ylim()[0] < guess < axes.get_ylim()[1]
    legend = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert "best constant guess" in legend and "Dotted: the error of the best constant guess" in caption


def test_other_cells_are_in_neither_figure(tmp_path, draw):
    write_two(tmp_path, period=3)
    write_two(tmp_path, method="bprop", period=3)
    write_two(tmp_path, period=8)
    write_two(tmp_path, method="no_bprop", period=8)
    for artifact in FIGURES:
        figure, points, caption = draw(artifact)
        assert points.empty and notes(figure.axes[0]) == "missing: all"
    assert "No runs found" not in caption  # DNI at T = 8 is there, and has nothing to be compared with


def at(points, **place):
    """The one row of a place."""
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
        interval = t_interval([factor * first, factor * last])
        assert (found["value"], found["low"], found["high"]) == pytest.approx(
            (factor * (first + last) / 2, *interval), rel=1e-5
        )
        assert at(points, network="b", period=2, clock=clock)["value"] == pytest.approx(factor * 175 / 150, rel=1e-5)
    assert at(points, network="a", period=8, clock="digits")["value"] == pytest.approx(first, rel=1e-5)
    assert at(points, network="a", period=8, clock="seconds")["value"] == pytest.approx(first * 2.5 / 2, rel=1e-5)
    left, right = figure.axes
    for axes, network in ((left, "a"), (right, "b")):
        drawn = {(round(x), y) for line in axes.lines if line.get_marker() == "o" for x, y in line.get_xydata()}
        mine = points[points["network"] == network]
        expected = {({2: 0, 8: 2}[period], value) for period, value in zip(mine["period"], mine["value"], strict=True)}
        assert np.array(sorted(drawn)) == pytest.approx(np.array(sorted(expected)), rel=1e-5)
        assert notes(axes) == "missing: PyTorch T = 2, 4; JAX T = 4, 8"
    assert "by pairs of replicas of one seed; below 1 DNI is sooner" in caption


def test_what_has_no_ratio_is_counted_and_marked(tmp_path, draw):
    """Pairs that never come to the goal: some at T = 2, all at 4; and at 8 joint backprop that has not learnt."""
    idle = [90, 70, 65, 64, 63]
    write_two(tmp_path, method="bprop", period=2, a=[JOINT] * 3)
    write_two(tmp_path, method="dni", period=2, a=[SOON, SOON, NEVER])
    write_two(tmp_path, method="bprop", period=4, a=[JOINT] * 3)
    write_two(tmp_path, method="dni", period=4, a=[NEVER] * 3)
    write_two(tmp_path, method="bprop", period=8, a=[JOINT, idle, idle])
    write_two(tmp_path, method="dni", period=8, a=[SOON] * 3)
    figure, points, _ = draw("fig_two_network_periods")
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
    at_top = [line for line in crosses if line.get_transform() == axes.get_xaxis_transform()]
    assert sorted(round(line.get_xdata()[0]) for line in crosses) == [0, 0, 1, 1]
    assert [(round(line.get_xdata()[0]), line.get_ydata()[0]) for line in at_top] == [(1, 0.95), (1, 0.95)]
    said = "× never so low: PyTorch T = 2 (1 of 3), T = 4 (3 of 3) no goal: PyTorch T = 8 (2 of 3) missing: JAX all"
    assert notes(axes).strip() == said
    assert_legible(figure)


def test_without_a_speed_there_are_no_seconds(tmp_path, draw):
    write_two(tmp_path, method="bprop", model_steps_per_second=None)
    write_two(tmp_path)
    _, points, _ = draw("fig_two_network_periods")
    assert list(points["clock"]) == ["digits"] * 2


def test_the_five_files_and_the_stamp(tmp_path):
    for method in METHODS:
        write_two(tmp_path, method=method)
    for artifact, methods in zip(FIGURES, (METHODS, METHODS[:2]), strict=True):
        written = artifacts.module(artifact).make(tmp_path)
        assert list(written) == [".pdf", ".svg", ".png", ".csv", ".json"]
        stamped = [
            run["path"].split("method~")[1].split("/")[0] for run in json.loads(written[".json"])["stamp"]["runs"]
        ]
        assert stamped == list(methods)
        assert artifacts.module(artifact).make(tmp_path)[".svg"] == written[".svg"]
