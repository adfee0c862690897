"""What holds for every figure at both widths that it is printed in, and for every table on a page of LaTeX.

Letters are at least 7 points high and dark enough, marks at least 1.5 mm wide, nothing overlaps or is cut off, axes
are named, and the two frameworks, the paper and single replicas can be told apart without colour.
"""

import itertools
import json
import math
import re

import pandas as pd
import pytest
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.text import Text

from impls.errors import UserError
from paper_figures import registry
from paper_figures.artifacts import fig_repeat_copy_choices
from paper_figures.cli import main
from paper_figures.drawing import curve_points, latex, style
from tests.support.drawn_figures import draw_figure
from tests.support.feedforward_runs import ARTIFACTS, write_cells
from tests.support.figure_assertions import assert_nothing_overlaps
from tests.support.recurrent_runs import write_copy, write_ptb
from tests.support.runs_on_disk import write_run
from tests.support.small_copy_runs import write_small
from tests.support.two_network_runs import write_two
from tests.support.unlock_runs import write_unlock
from tests.support.unlocked_runs import write_unlocked, write_worker_times

pytestmark = pytest.mark.slow("draws every table and figure")

FIGURES = [name for name in registry.names() if name.startswith("fig_")]
TABLES = [name for name in registry.names() if name.startswith(("table_", "text_"))]
# Their panels or names of rows are too many for one column.
WIDE = [
    "fig_boundary_quality",
    "fig_complete_unlock",
    "fig_missed_visits",
    "fig_repeat_copy_choices",
    "fig_small_copy",
    "fig_sparse_updates",
]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Some cells of every experiment: three replicas in PyTorch, one of them diverged; in JAX two, or one alone."""
    folder = tmp_path_factory.mktemp("results")
    for name in ARTIFACTS:
        if name != "fig_depth_choice":  # shares its runs
            write_cells(
                folder, name, ["torch"], slice(0, 9), evaluate_every=20_000, diverged=lambda number: number % 3 == 1
            )
            write_cells(
                folder, name, ["jax"], slice(0, 6), evaluate_every=20_000, seeds=lambda number: range(1 + number % 2)
            )
    for framework, replicas in (("torch", 3), ("jax", 2)):
        gone = {0: 100_000} if framework == "torch" else None
        for dataset, method in itertools.product(("copy", "repeat_copy"), ("bptt", "dni", "dni_aux")):
            solved = (12, 12, 12)[:replicas]
            write_copy(folder, framework, dataset, method, 3, solved, diverged=gone, seeds=range(replicas))
        for method, length in (("bptt", 8), ("bptt", 40), ("dni", 5), ("dni", 8), ("dni_aux", 2)):
            write_ptb(folder, framework, method, length)
        for method in ("bprop", "dni", "no_bprop"):
            write_two(folder, framework, method)
        for method, unlock in itertools.product(("dni", "cdni"), ("sparse", "complete")):
            write_unlock(folder, framework, method, unlock, diverged=framework == "torch", evaluate_every=5000)
        for unvisited in ("frozen", "zero_gradient"):
            ablation = {"unlock": "sparse", "unvisited": unvisited, "synthetic_gradient_depth": 0}
            write_unlock(folder, framework, "cdni", experiment="missed_visits", cell=ablation, iterations=25_000)
        at = {"experiment": "carried_state", "seeds": range(replicas)}
        write_copy(folder, framework, "copy", "dni", 3, (12, 12, 12)[:replicas], **at)
        for choices in fig_repeat_copy_choices.SETTINGS.values():
            seeds = range(replicas)
            at = {"experiment": "repeat_copy_choices", "choices": choices, "seeds": seeds}
            write_copy(folder, framework, "repeat_copy", "dni", 3, (12, 12, 12)[:replicas], **at)
        for change in ("none", "fast", "shared_phase"):
            write_small(folder, framework, change=change)
    write_unlocked(folder)
    write_worker_times(folder)
    return folder


@pytest.fixture
def draw():
    """draw(artifact, results, columns) -> the figure; no image files are written."""

    def drawing(artifact, results, columns=2):
        return draw_figure(artifact, results, columns=columns)[0]

    return drawing


def words(figure):
    """Every visible text, those of legends and ticks too."""
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def assert_readable_in_print(figure):
    """Nothing overlaps; every letter, those of legends and ticks too, is large and dark enough."""
    assert_nothing_overlaps(figure)
    texts = words(figure)
    assert min(text.get_fontsize() for text in texts) >= 7
    pale = {text.get_text() for text in texts if contrast(text.get_color()) < 4.4}
    assert not pale, pale
    for axes in figure.axes:
        labels = [label for label in axes.get_xticklabels() if label.get_visible() and label.get_text()]
        spans = sorted((box.x0, box.x1) for box in (label.get_window_extent() for label in labels))
        assert all(one[1] < other[0] for one, other in itertools.pairwise(spans)), axes.get_title(loc="left")


def contrast(colour):
    """A colour's contrast with white, from 1 (white) to 21 (black), by the Web Content Accessibility Guidelines."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    return 1.05 / (0.05 + sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True)))


def smallest_mark(figure):
    """The size of the smallest mark in millimetres; ticks are no marks."""
    ticks = {id(line) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for line in axis.findobj(Line2D)}
    lines = [line for line in figure.findobj(Line2D) if id(line) not in ticks]
    sizes = [line.get_markersize() for line in lines if line.get_marker() not in ("None", "none", "", None)]
    sizes += [size**0.5 for dots in figure.findobj(PathCollection) for size in dots.get_sizes()]
    return min(sizes, default=style.MARK) * 25.4 / 72


def assert_named(figure):
    """An axis at the figure's edge has a name, shares its neighbour's in one column, or has names for ticks."""
    for axes in figure.axes:
        place = axes.get_subplotspec()
        row = [other for other in figure.axes if other.get_subplotspec().rowspan == place.rowspan]
        assert any(one.get_xlabel() for one in row) or not place.is_last_row()
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert axes.get_ylabel() or not place.is_first_col() or any(re.match("DNI|BPTT", name) for name in names)


@pytest.mark.parametrize("columns", style.WIDTHS)
@pytest.mark.parametrize("artifact", FIGURES)
def test_every_figure_is_legible_in_print(results, draw, artifact, columns):
    if columns == 1 and artifact in WIDE:
        with pytest.raises(UserError, match="omit --columns"):
            draw(artifact, results, columns)
        return
    figure = draw(artifact, results, columns)
    assert figure.axes
    assert figure.get_figwidth() <= style.WIDTHS[columns]
    assert smallest_mark(figure) >= 1.5
    assert figure.get_figheight() <= 9.5  # of a page
    assert_readable_in_print(figure)
    assert_named(figure)


def test_without_runs_every_figure_says_so_and_is_nothing_else(tmp_path, draw):
    for artifact in sorted(set(FIGURES) - set(WIDE)):
        figure = draw(artifact, tmp_path, columns=1)
        assert [text.get_text() for text in words(figure)] == ["no run to draw yet"]
        assert_readable_in_print(figure)


@pytest.mark.parametrize("replicas", [2, 3])
def test_few_replicas_are_thin_lines_in_place_of_their_interval(tmp_path, draw, replicas):
    """The interval of 2 and 2.4 reaches from -0.3 to 4.7."""
    at = {"experiment": "linear_dni", "depth": 3, "cell": {"synthetic_gradient_depth": 0}, "evaluate_every": 100_000}
    constant = {("test", "error"): lambda replica, iteration: 2 + 0.4 * replica}
    write_run(tmp_path, seeds=range(replicas), metrics=constant, **at)
    axes = draw("fig_linear_dni", tmp_path).axes[0]
    thin = [line for line in axes.lines if line.get_linewidth() == style.FEW_REPLICAS["linewidth"]]
    levels = [set(line.get_ydata()) for line in thin if not pd.isna(line.get_ydata()).all()]
    assert levels == [{2.0}, {2.4}, {2.8}][:replicas]
    assert not any(len(path.vertices) for part in axes.collections for path in part.get_paths())


def test_four_replicas_have_a_band(tmp_path, draw):
    at = {"experiment": "linear_dni", "depth": 3, "cell": {"synthetic_gradient_depth": 0}, "evaluate_every": 100_000}
    write_run(tmp_path, "jax", seeds=range(4), **at)
    axes = draw("fig_linear_dni", tmp_path).axes[0]
    (band,) = [part for part in axes.findobj(PolyCollection) if part.get_paths()]
    assert band.get_alpha() == style.BAND["alpha"]
    assert all(pd.isna(line.get_ydata()).all() for line in axes.lines if line.get_linewidth() < 0.5)


def test_one_replica_is_named_as_having_no_interval(tmp_path):
    at = {"experiment": "linear_dni", "depth": 3, "evaluate_every": 100_000}
    write_run(tmp_path, seeds=(0,), cell={"synthetic_gradient_depth": 0}, **at)
    write_run(tmp_path, seeds=(0, 1), cell={"synthetic_gradient_depth": 2}, **at)
    *_, caption = draw_figure("fig_linear_dni", tmp_path)
    assert "One replica alone: Net of 3 layers (M of 0 hidden layers)." in caption


def test_axes_are_linear_where_the_papers_are_and_as_asked(tmp_path, draw):
    at = {"evaluate_every": 100_000}
    write_run(tmp_path, experiment="linear_dni", cell={"synthetic_gradient_depth": 0}, **at)
    write_run(tmp_path, experiment="bp_lambda", cell={"bp_lambda": 0.0}, **at)
    scales = {("fig_linear_dni", ""): "linear", ("fig_bp_lambda", ""): "log"}
    for artifact, asked in [*scales, ("fig_linear_dni", "log"), ("fig_bp_lambda", "linear")]:
        axes = draw_figure(artifact, tmp_path, axes=asked)[0].axes[-1]
        expected = scales.get((artifact, asked), asked)
        assert (axes.get_xscale(), axes.get_yscale()) == (expected, expected), (artifact, asked)


@pytest.mark.parametrize("artifact", FIGURES)
def test_every_figure_has_letters_of_a_paper_if_asked(results, artifact):
    figure, *_ = draw_figure(artifact, results, font="serif")
    assert {text.get_fontname() for text in words(figure)} == {"STIXGeneral"}
    assert_readable_in_print(figure)


def test_the_frameworks_are_told_apart_without_colour():
    for looks in (style.FRAMEWORK_LINES, style.REPLICA_LINES):
        assert looks["torch"]["linewidth"] > 2.5 * looks["jax"]["linewidth"]
    for looks in (style.FRAMEWORK_DOTS, style.REPLICA_DOTS):
        assert looks["torch"]["markersize"] > 1.6 * looks["jax"]["markersize"]
        assert looks["torch"]["alpha"] < 0.5 and "alpha" not in looks["jax"]


def test_every_way_to_print_is_a_file_and_a_command_of_its_own(tmp_path, capsys):
    write_run(tmp_path, experiment="target_scale", cell={"target_scale": "example", "adam_epsilon": 1e-8})
    for options, ending in (
        ("--columns 1", "one_column"),
        ("--axes linear", "linear"),
        ("--columns 1 --axes log --font serif", "one_column_log_serif"),
    ):
        assert main(["fig_target_scale", "--results", str(tmp_path), *options.split()]) == 0
        record = json.loads((tmp_path / "figures" / f"fig_target_scale_{ending}.json").read_text())
        assert record["stamp"]["command"].endswith(f" {options}")
    assert main(["verify", str(tmp_path / "figures"), "--results", str(tmp_path)]) == 0
    assert "12 files: 12 match" in capsys.readouterr().out
    assert main(["text_deep", "--results", str(tmp_path), "--columns", "1"]) == 2
    assert "--columns 1 is for figures" in capsys.readouterr().err
    assert not (tmp_path / "tables").exists()


@pytest.mark.parametrize("name", TABLES)
def test_every_table_fits_a_page_in_letters_of_seven_points_or_more(results, name):
    text = registry.module(name).make(results)[".tex"].decode("ascii")
    assert r"\tiny" not in text
    for printed in text.split(r"\begin{table*}")[1:]:
        _, between, character, line = next(entry for entry in latex.SIZES if rf"\centering{entry[0]}" + "\n" in printed)
        tabulars = [part for part in printed.split(r"\begin{tabular}{@{}")[1:] if re.match("l+c+@", part)]
        for tabular in tabulars:
            rows = [row for row in re.split(r" \\\\\n", tabular.split(r"\toprule")[1]) if " & " in row]
            cells = [[re.split(r"\\\\", cell) for cell in row.split(" & ")] for row in rows]
            plain = [[max(map(_plain, cell), key=len) for cell in row] for row in cells]
            widths = [max(map(len, column)) for column in zip(*plain, strict=True)]
            assert sum(widths) * 0.8 * character + between * (len(widths) - 1) <= latex.TEXT_WIDTH
            assert sum(max(map(len, row)) for row in cells) * line < latex.TEXT_HEIGHT


def test_where_many_columns_have_numbers_their_cells_are_narrower(tmp_path):
    def cell():
        return re.search(r"\$\\pm\$ 0.\d+(.*?)\\end", registry.module("table_rnn").make(tmp_path)[".tex"].decode())[1]

    for length in (2, 3):
        write_ptb(tmp_path, method="bptt", length=length)
    assert cell() == r" (3)\\{\scriptsize differs (worse), resolves 1.8}"
    for length in (4, 5, 8, 20, 40):
        write_ptb(tmp_path, method="bptt", length=length)
    assert cell() == r"\\{\scriptsize (3) differs}\\{\scriptsize (worse),}\\{\scriptsize resolves 1.8}"


def _plain(latex):
    """What is printed of a cell's line."""
    return re.sub(r"\\begin\{tabular\}\[t\]\{@\{\}[cl]@\{\}\}|\\end\{tabular\}|\\[a-z]+|[{}$]", "", latex)


def test_headings_are_broken_to_the_width_of_their_numbers():
    block = latex.Block(["Net", "Data until 7 is solved, millions"], [["a", "7.5"], ["b", "2.25"]], 1).wrapped()
    assert block.headings[0] == "Net" and block.headings[1].split("\n") == ["Data until", "7 is", "solved,", "millions"]


def test_the_points_hold_the_replicas_if_they_are_few():
    found = dict(zip(curve_points.NUMBERS[1:], curve_points.numbers([1.0, 3.0]), strict=True))
    assert found["value"] == 2 and [found[name] for name in curve_points.REPLICAS[:2]] == [1, 3]
    assert math.isnan(found["replica_3"])
    found = dict(zip(curve_points.NUMBERS[1:], curve_points.numbers([1.0, 3.0, 2.0, 2.0]), strict=True))
    assert found["n"] == 4 and all(math.isnan(found[name]) for name in curve_points.REPLICAS)
