"""The figures of curves: what they show of complete, diverged, missing and stand-in runs, and what they say of it."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from paper_figures import registry
from paper_figures.artifacts import fig_feedforward_curves
from paper_figures.claims.matching import read_claims
from paper_figures.drawing import layout, panels, style
from paper_figures.runs import ROOT
from tests.support.feedforward_runs import ARTIFACTS, cells, quality, write_cells
from tests.support.figure_assertions import assert_legible, assert_words_are_in_the_caption, legend, lightness, titles
from tests.support.runs_on_disk import write_run


def complete(results, artifact):
    write_cells(results, artifact)


def diverged(results, artifact):
    """One replica of some cells in PyTorch, and all replicas of every cell in JAX."""
    write_cells(results, artifact, ["torch"], diverged=lambda number: number % 3 == 1)
    write_cells(results, artifact, ["jax"], diverged=3)


def missing(results, artifact):
    """Every third cell in PyTorch; in JAX the first one, of one replica and unfinished."""
    write_cells(results, artifact, ["torch"], slice(0, None, 3))
    write_cells(results, artifact, ["jax"], slice(1), seeds=(0,), reached=60_000)


def stand_in(results, artifact):
    differs = ["hidden_units = 64 (paper: 256)", "synthetic_gradient_units = 128 (paper: 1024)"]
    quick = {"source": "stand-in", "differs": differs, "preset": "quick"}
    write_cells(results, artifact, iterations=2000, evaluate_every=200, **quick)


def smoke(results, artifact):
    """One tiny cell in each framework, of one replica and evaluated twice."""
    tiny = {"iterations": 20, "evaluate_every": 10, "source": "stand-in", "preset": "smoke", "seeds": (0,)}
    write_cells(results, artifact, chosen=slice(1), **tiny)


def diverged_at_once(results, artifact):
    """One tiny cell without a finite value after the start, in both frameworks."""
    tiny = {"iterations": 20, "evaluate_every": 10, "source": "stand-in", "preset": "smoke", "seeds": (0,)}
    write_cells(results, artifact, chosen=slice(1), diverged=1, **tiny)


def nothing(results, artifact):
    pass


SCENES = [diverged, missing, stand_in, smoke, diverged_at_once, nothing]
ADDITIONS = ("fig_depth_choice", "fig_bp_lambda", "fig_target_scale", "fig_initial_weights")


@pytest.mark.slow("draws eight figures from six sets of runs each")
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_every_figure_is_legible_and_says_what_is_behind_it(tmp_path, draw, artifact, scene):
    scene(tmp_path, artifact)
    figure, _, caption = draw(artifact)
    assert_legible(figure)
    assert figure.get_figwidth() <= style.WIDTHS[2]
    stand_ins = (stand_in, smoke, diverged_at_once)
    # fig_depth_choice shows pairs of cells, of which two scenes have none.
    if (scene, artifact) not in itertools.product((smoke, diverged_at_once), ["fig_depth_choice"]):
        assert_words_are_in_the_caption(figure, scene in stand_ins)
    assert caption.startswith("STAND-IN") == (scene in stand_ins)
    assert ("hidden_units = 64 (paper: 256)" in caption) == (scene is stand_in)
    assert ("1 of " in caption and "unfinished" in caption) == (scene is missing)
    assert ("Not in the paper" in caption) == (artifact in ADDITIONS)
    has_diverged = scene is diverged or (scene is diverged_at_once and artifact != "fig_depth_choice")
    assert ("Replicas that diverged (crosses): " in caption) == has_diverged
    assert ("No run" in caption) == (scene in (missing, smoke, diverged_at_once, nothing))
    if scene is nothing:
        assert caption.startswith("No runs found.") and not figure.axes


@pytest.mark.slow("writes three figures in every format, twice")
def test_the_same_inputs_give_the_same_bytes_in_another_process(tmp_path):
    """Another process has another hash seed. These three figures use every kind of drawing."""
    names = ["fig_gradient_quality", "fig_depth_choice", "fig_bp_lambda"]
    expected = {}
    for artifact in names:
        write_cells(tmp_path / artifact, artifact, chosen=slice(0, 3), evaluate_every=20_000)
        expected[artifact] = registry.module(artifact).make(tmp_path / artifact)
        assert set(expected[artifact]) == {".pdf", ".svg", ".png", ".csv", ".json"}
    program = f"""
from paper_figures.cli import main
for name in {names}:
    assert main([name, "--results", {str(tmp_path)!r} + "/" + name]) == 0
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=ROOT, check=True, capture_output=True)
    for artifact, contents in expected.items():
        for suffix, content in contents.items():
            written = (tmp_path / artifact / registry.module(artifact).OUTPUT).with_suffix(suffix)
            assert written.read_bytes() == content, (artifact, suffix)


def test_feedforward_curves_show_mnist_fcn_of_the_papers_depths_alone(tmp_path, draw):
    write_run(tmp_path)
    write_run(tmp_path, depth=21)
    write_run(tmp_path, dataset="cifar10")
    write_run(tmp_path, model="cnn")
    _, points, caption = draw("fig_feedforward_curves")
    assert set(points["depth"]) == {3, 4, 5, 6}
    assert len(points[points["obtained"] == "run"]) == 101 and len(points[points["source"] == "paper"]) == 80
    assert "CIFAR" not in caption
    assert fig_feedforward_curves.EXPERIMENT in set(
        read_claims().query("artifact == 'fig_feedforward_curves'")["experiment"]
    )


@pytest.mark.parametrize(
    "changed", [{"source": "stand-in"}, {"differs": ["hidden_units = 64 (paper: 256)"]}, {"differs": []}]
)
def test_the_papers_curves_are_only_shown_beside_its_net_on_its_data(tmp_path, draw, changed):
    """A run may be shorter, and one that can be compared is enough."""
    shorter = ["iterations = 2000 (paper: 500000)"]
    write_run(tmp_path, iterations=2000, **{**changed, "differs": [*shorter, *changed.get("differs", [])]})
    comparable = changed == {"differs": []}
    _, points, caption = draw("fig_feedforward_curves")
    assert ("paper" in set(points["source"])) == ("Diamonds: its table" in caption) == comparable
    assert ("The paper's numbers are not shown" in caption) != comparable
    write_run(tmp_path, method="cdni")
    assert "paper" in set(draw("fig_feedforward_curves")[1]["source"])


def test_underfitting_shows_training_and_test_error_of_cifar_cnns(tmp_path, draw):
    write_run(tmp_path, depth=3, model="cnn", metrics={("train", "error"): 1})  # MNIST
    cell = {"dataset": "cifar10", "model": "cnn", "depth": 3, "method": "dni"}
    write_run(tmp_path, final=[20, 21, 22], metrics={("train", "error"): [9, 10, 11]}, **cell)
    write_run(tmp_path, final=5, metrics={("train", "error"): 5}, **{**cell, "method": "no_bprop"})
    figure, points, caption = draw("fig_underfitting")
    assert set(points["method"]) == {"dni"}
    ends = points[points["iteration"] == 500_000].set_index("split")["value"]
    assert ends.to_dict() == {"train": 10, "test": 21}
    assert "due to underfitting" in caption
    assert titles(figure) == ["DNI"]
    mean, dotted = (line for line in figure.axes[0].lines if line.get_linewidth() >= 1)
    assert {mean.get_ydata()[-1], dotted.get_ydata()[-1]} == {10, 21}


def test_a_training_error_of_zero_is_below_the_panel_and_breaks_nothing(tmp_path, draw):
    cell = {"dataset": "cifar10", "model": "cnn", "depth": 3}
    falling = {("train", "error"): lambda replica, iteration: max(0, 5 - iteration / 50_000)}
    write_run(tmp_path, method="dni", metrics=falling, **cell)
    write_run(tmp_path, method="dni", metrics={("train", "error"): 3}, **{**cell, "depth": 4})
    write_run(tmp_path, method="cdni", metrics={("train", "error"): lambda *_: 0}, **cell)
    figure, points, _ = draw("fig_underfitting", axes="log")
    assert (points["value"] == 0).any()
    low, high = figure.axes[0].get_ylim()
    assert 0 < low < 0.2 and high > 1
    assert_legible(figure)


def test_gradient_quality_takes_the_metrics_of_the_cut(tmp_path, draw):
    for cut in (1, 4):
        others = {("batch", f"h{5 - cut}.{name}"): 99 for name in ("l2_error", "cosine_similarity")}
        metrics = {**quality(cut, False), **others}
        write_run(tmp_path, experiment="single_dni", depth=6, cell={"cut_after": cut}, metrics=metrics)
    uncut = {"method": "bprop", "cell": {"cut_after": 0}}
    write_run(tmp_path, experiment="single_dni", depth=6, **uncut)
    figure, points, _ = draw("fig_gradient_quality")
    assert set(points["metric"]) == {"l2_error", "true_norm", "cosine_similarity", "sign_error"}
    start = points[(points["iteration"] == 0) & (points["metric"] == "l2_error")].set_index("cut_after")["value"]
    assert start.to_dict() == pytest.approx({1: 0.2 * 1.3 * 1.004, 4: 0.05 * 1.3 * 1.004}, rel=1e-4)
    panels_by_row = np.reshape(figure.axes, (3, 1))  # there is no run of cDNI
    # The length of the true gradient, and the values of a useless gradient: cosine 0, half of the signs wrong.
    levels = [{round(float(line.get_ydata()[0]), 4) for line in axes.lines} for axes in panels_by_row[:, 0]]
    norm = points[(points["metric"] == "true_norm") & (points["iteration"] == 5000)]["value"].round(4)
    assert set(norm) <= levels[0] and 0 in levels[1] and 50 in levels[2]


def test_linear_dni_has_a_panel_for_each_depth_of_the_net(tmp_path, draw):
    write_run(tmp_path, experiment="linear_dni", depth=5, cell={"synthetic_gradient_depth": 0}, final=[3, 3, 3])
    figure, points, caption = draw("fig_linear_dni")
    assert titles(figure) == ["Net of 5 layers"]
    assert points["value"].iloc[-1] == 3
    assert "Net of 5 layers (M of 1, 2 hidden layers)" in caption


@pytest.mark.parametrize("artifact", ["fig_gradient_quality", "fig_linear_dni", "fig_bp_lambda", "fig_target_scale"])
def test_a_run_of_another_net_is_not_drawn_into_a_curve(tmp_path, draw, artifact):
    cell = next(iter(cells(artifact)))
    write_run(tmp_path, experiment=registry.module(artifact).EXPERIMENT, **{**cell, "model": "cnn"})
    figure, points, caption = draw(artifact)
    assert points.empty and not figure.axes and caption.startswith("No runs found.")


def test_bp_lambda_shows_the_ends_above_the_curves(tmp_path, draw):
    for bp_lambda, final in ((0.0, [3.0, 3.2, 3.4]), (0.5, [2.0, 2.0, 2.0]), (1.0, [1.0, 1.0, 1.0])):
        at = {"method": "dni", "cell": {"bp_lambda": bp_lambda}, "final": final}
        write_run(tmp_path, "jax", experiment="bp_lambda", diverged=bp_lambda == 0.5, **at)
    figure, _, caption = draw("fig_bp_lambda")
    above, _ = figure.axes  # there is no run of cDNI
    dots = {line.get_xdata()[0]: line.get_ydata()[0] for line in above.lines if line.get_marker() == "o"}
    assert dots == pytest.approx({0: 3.2, 0.5: 2, 1: 1})
    ticks = {line.get_xdata()[0]: list(line.get_ydata()) for line in above.lines if line.get_marker() == "_"}
    assert ticks[0] == pytest.approx([3.0, 3.2, 3.4])
    assert [line.get_xdata()[0] for line in above.lines if line.get_marker() == "X"] == [0.5]
    assert "Replicas that diverged (crosses): DNI (λ\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.5 (1 of 3))." in caption
    assert "No run: DNI (λ\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.25, 0.75), cDNI (all)." in caption
    assert "λ = 1 is backpropagation and λ = 0 is DNI" in caption and "publishes no numbers" in caption


def test_target_scale_has_a_panel_for_dni_where_it_was_run(tmp_path, draw):
    complete(tmp_path, "fig_target_scale")
    figure, points, caption = draw("fig_target_scale")
    assert titles(figure) == ["cDNI"]
    ends = points[(points["iteration"] == 100_000) & (points["source"] == "jax")].set_index("setting")["value"]
    assert ends.idxmax() == "batch mean (ε = 1e-8)" and len(ends) == 3
    assert "does not state the scale" in caption
    cell = {"target_scale": "batch_mean", "adam_epsilon": 1e-12}
    write_run(tmp_path, experiment="target_scale", method="dni", cell=cell)
    figure, _, caption = draw("fig_target_scale")
    assert titles(figure) == ["DNI", "cDNI"]
    assert "No run: DNI (PyTorch one example (ε = 1e-8), batch mean (ε = 1e-8); JAX all)." in caption
    assert_legible(figure)


def test_a_figure_from_stand_in_data_is_taller_and_no_panel_smaller():
    def heights(page):
        figure, grid = layout.grid(page, 2, 3, 1.5, legend=[])
        return {round(axes.get_position().height * figure.get_figheight(), 6) for axes in grid.flat}

    assert heights(style.Page()) == heights(style.Page(stand_in=True)) == {1.5}


def test_only_what_has_a_run_has_a_panel_a_colour_and_a_place_in_the_legend(tmp_path, draw):
    """What has none is named in the caption."""
    write_run(tmp_path, "jax", method="cdni", depth=3)
    write_run(tmp_path, "jax", method="cdni", depth=6)
    figure, _, caption = draw("fig_feedforward_curves")
    assert titles(figure) == ["cDNI"]
    assert legend(figure) == [
        "JAX",
        "paper's plot",
        "paper's table",
        "3",
        "4",
        "5",
        "6 layers",
    ]  # the paper has all four
    assert "No run in PyTorch." in caption
    assert "No run: No backprop (all), Backprop (all), DNI (all), cDNI (4, 5 layers)." in caption
    write_run(tmp_path, "jax", experiment="linear_dni", depth=5, cell={"synthetic_gradient_depth": 0})
    figure, *_ = draw("fig_linear_dni")
    assert titles(figure) == ["Net of 5 layers"] and legend(figure) == ["JAX", "M of 0 hidden layers"]
    assert figure.get_figwidth() < style.WIDTHS[2]  # one panel is no wider than half a page needs


def test_shades_are_told_apart_in_grey():
    for shades in (style.FIVE_SHADES, style.THREE_SHADES):
        steps = list(map(lightness, shades))
        assert all(lighter - darker > 12 for lighter, darker in itertools.pairwise(steps))


@pytest.mark.parametrize(
    ("value", "text"), [(500_000, "500,000"), (20, "20"), (0.3 - 1e-17, "0.3"), (1e-5, "0.00001"), (1.5, "1.5")]
)
def test_ticks_are_plain_numbers(value, text):
    assert panels.plain_number(value) == text
