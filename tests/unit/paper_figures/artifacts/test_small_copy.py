"""Copy in minutes, figure and table: rows, data at each promotion, quality of M, and runs that lack some of these."""

import io
import json
import math
from functools import partial

import numpy as np
import pandas as pd
import pytest

from impls.experiments.small_copy.spec import CHANGES
from paper_figures import registry
from paper_figures.artifacts import fig_small_copy
from paper_figures.claims.estimates import mean_of
from paper_figures.drawing import style
from tests.support.figure_assertions import assert_legible
from tests.support.small_copy_runs import BATCH, QUALITY, write_small


def complete(results):
    """The cells of the paper preset in both frameworks, three replicas each, climbing more slowly with each level."""
    plain = [("bptt", length, "none") for length in (2, 3, 6, 12)]
    plain += [(method, length, "none") for method in ("dni", "dni_aux") for length in (2, 3)]
    changed = [("bptt", 3, change) for change in ("shared_phase", "carried_state", "large_batch", "slow", "fast")]
    changed += [("dni", 3, change) for change in CHANGES if change != "none"]
    for number, (method, length, change) in enumerate([*plain, *changed]):
        levels = {"bptt": 1 + length, "dni": 6 + length, "dni_aux": 7 + length}[method] - (number % 3)
        for framework in ("torch", "jax"):
            pace = [(1 + 0.15 * replica) * (1 + 0.1 * (number % 4)) for replica in range(3)]
            promoted = [[int(500 * one * 1.6**level) for level in range(levels)] for one in pace]
            promoted = [[at + 40 * (framework == "jax") for at in climb if at < 60_000] for climb in promoted]
            worse = 2.5 if change == "factor_1" else number / 60
            quality = {phase: _noisy(top - worse) for phase, top in QUALITY.items()}
            gone = {1: 20_000} if change == "fast" and framework == "jax" else {}
            write_small(results, framework, method, length, change, promoted, 60_000, quality, gone)


def _noisy(mean):
    return lambda replica, iteration: mean + 0.1 * (replica - 1)


@pytest.fixture
def draw(draw):
    """draw() -> (figure, points, caption) of the runs under tmp_path; no image files are written."""
    return partial(draw, "fig_small_copy")


def names(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def lines(axes, marker):
    return [line for line in axes.lines if line.get_marker() == marker]


def numbers(axes):
    """Row -> the task lengths written into it, from left to right."""
    found = {}
    for text in sorted(axes.texts, key=lambda text: text.xy[0]):
        found.setdefault(round(text.xy[1]), []).append(text.get_text())
    return found


def test_rows_are_bptt_then_dni_then_the_changes_in_their_order(tmp_path, draw):
    for method, length in (("dni_aux", 2), ("dni", 3), ("dni", 2), ("bptt", 12), ("bptt", 3)):
        write_small(tmp_path, method=method, length=length)
    for method, change in (("dni", "fast"), ("bptt", "fast"), ("dni", "shared_phase"), ("dni", "factor_1")):
        write_small(tmp_path, "jax", method, change=change)
    figure, _, caption = draw()
    assert names(figure) == [
        *("BPTT, T = 3", "BPTT, T = 12", "DNI, T = 2", "DNI, T = 3", "DNI + Aux, T = 2"),
        *("DNI, T = 3, factor 1", "DNI, T = 3, all in step"),
        *("BPTT, T = 3, faster learning", "DNI, T = 3, faster learning"),
    ]
    (grey,) = [line for line in figure.axes[0].lines if line.get_color() == style.FAINT and len(line.get_xdata()) == 2]
    assert list(grey.get_ydata()) == [4.5, 4.5]  # between the fifth row and the sixth, the first changed one
    assert "Not in the paper: an addition" in caption and "(paper: 500,000)" not in caption


def test_the_figure_knows_the_changes_of_the_spec():
    assert list(fig_small_copy.CHANGES) == list(CHANGES)


def test_a_change_that_has_no_label_goes_by_its_name_and_comes_last(tmp_path, draw):
    for change in ("fast", "a_novelty", "none"):
        write_small(tmp_path, change=change)
    assert names(draw()[0]) == ["DNI, T = 3", "DNI, T = 3, faster learning", "DNI, T = 3, a_novelty"]


def test_points_are_the_promotions_at_their_data(tmp_path, draw):
    write_small(tmp_path, method="bptt", length=6)
    write_small(tmp_path, "jax", promoted=((50,), ()))
    figure, points, _ = draw()
    climbs = points[points["metric"] == "max_solved_task_length"]
    assert (climbs["data"] == climbs["iteration"] * climbs["truncation_length"] * BATCH).all()
    chosen = climbs.set_index("method").loc["bptt", ["seed", "event", "iteration", "value"]]
    assert list(chosen.itertuples(index=False, name=None)) == [
        *((7, "promotion", 100, 4), (7, "promotion", 900, 5), (7, "end", 1000, 5)),
        *((8, "promotion", 150, 4), (8, "promotion", 400, 5), (8, "promotion", 950, 6), (8, "end", 1000, 6)),
    ]
    axes = figure.axes[0]
    torch, jax = axes.collections[-2:]  # of each framework, the dots
    expected = [(at * 6 * BATCH / 1e6, task) for at, task in ((100, 4), (900, 5), (150, 4), (400, 5), (950, 6))]
    assert np.allclose(np.c_[torch.get_offsets()[:, 0], torch.get_array()], expected)
    assert np.allclose(np.c_[jax.get_offsets()[:, 0], jax.get_array()], [(50 * 3 * BATCH / 1e6, 4)])
    assert len(set(torch.get_offsets()[:, 1])) == 2 and set(np.round(torch.get_offsets()[:, 1] - 0.2)) == {0}
    assert torch.get_sizes()[0] > jax.get_sizes()[0] and torch.get_alpha() < 1
    (ends,) = lines(axes, "|")
    assert sorted(ends.get_xdata()) == pytest.approx([1000 * 3 * BATCH / 1e6] * 2 + [1000 * 6 * BATCH / 1e6] * 2)
    assert numbers(axes) == {0: ["4", "5", "6"], 1: ["4"]}
    first = {text.get_text(): text.xy[0] for text in axes.texts if text.xy[1] < 0.5}
    assert first == pytest.approx({"4": 100 * 6 * BATCH / 1e6, "5": 400 * 6 * BATCH / 1e6, "6": 950 * 6 * BATCH / 1e6})


def test_of_numbers_without_room_the_longest_task_stays(tmp_path, draw):
    write_small(tmp_path, promoted=((10, 940, 950, 960),))
    assert numbers(draw()[0].axes[0]) == {0: ["4", "7"]}


def test_quality_is_the_mean_of_the_second_half_where_there_was_any(tmp_path, draw):
    """Evaluated at 0, 250, 500, 750 and 1000; a zero says that no sequence was in the phase."""
    read = {0: -9.0, 250: -9.0, 500: 0.1, 750: 0.0, 1000: 0.3}
    write_small(tmp_path, quality={"read": lambda replica, at: read[at] and read[at] + replica, "write": 0.6})
    write_small(tmp_path, method="bptt")
    figure, points, _ = draw()
    late = points[points["event"] == "second half"].set_index("metric")
    assert set(late["method"]) == {"dni"} and len(late) == 2
    found = late.loc["explained_variance.read"]
    assert (found["value"], found["n"], found["iteration"]) == (pytest.approx(0.7), 2, 1000)
    assert (found["low"], found["high"]) == pytest.approx(mean_of([0.2, 1.2]).interval(), rel=1e-5)
    dots = lines(figure.axes[1], "o")
    assert [(dot.get_xdata()[0], round(dot.get_ydata()[0])) for dot in dots] == [
        (pytest.approx(x), 1) for x in (0.7, 0.6)
    ]


def test_what_lies_below_the_axis_is_a_triangle_at_its_edge(tmp_path, draw):
    write_small(tmp_path, quality={"read": -3.0, "write": -0.4})
    figure, points, caption = draw()
    axes = figure.axes[1]
    assert axes.get_xlim() == (-0.5, 1)
    ((triangle,), (dot,)) = lines(axes, "<"), lines(axes, "o")
    assert triangle.get_xdata()[0] == -0.5 and not triangle.get_clip_on()
    assert dot.get_xdata()[0] == pytest.approx(-0.4)
    assert points.set_index("metric").loc["explained_variance.read", "value"] == -3
    assert "below -0.5" in caption


def test_a_replica_that_diverged_ends_there_and_is_in_no_mean(tmp_path, draw):
    write_small(tmp_path, diverged={1: 300}, quality={"read": lambda replica, at: 0.2 + replica, "write": 0.6})
    figure, points, _ = draw()
    ends = points[points["event"].isin(["end", "diverged"])]
    ends = ends[["seed", "event", "iteration", "value"]].to_numpy().tolist()
    assert ends == [[7, "end", 1000, 5], [8, "diverged", 300, 4]]
    (cross,) = lines(figure.axes[0], "X")
    assert list(cross.get_xdata()) == pytest.approx([300 * 3 * BATCH / 1e6])
    found = points.set_index("metric").loc["explained_variance.read"]
    assert (found["value"], found["n"], found["n_diverged"]) == (0.2, 1, 1) and math.isnan(found["low"])


def test_runs_that_lack_replicas_or_metrics_keep_their_rows(tmp_path, draw):
    """Nothing solved, all diverged, no promotions, no quality: each has a row, with what there is."""
    write_small(tmp_path, length=2, promoted=((),), quality={})
    write_small(tmp_path, length=3, promoted=((100,),), diverged={0: 0})
    write_small(tmp_path, length=4, promoted=((100,),), climbs=False)
    figure, points, _ = draw()
    assert names(figure) == ["DNI, T = 2", "DNI, T = 3", "DNI, T = 4"]
    left, right = figure.axes
    assert_legible(figure)
    assert numbers(left) == {}
    assert [len(lines(left, marker)[0].get_xdata()) for marker in "|X"] == [1, 1]
    assert {round(dot.get_ydata()[0]) for dot in lines(right, "o")} == {2}
    unknown = points[(points["truncation_length"] == 4) & (points["event"] == "end")]
    assert unknown["value"].isna().all() and len(unknown) == 1


def test_no_runs_make_an_empty_figure(draw):
    figure, points, caption = draw()
    assert points.empty and list(points) == fig_small_copy.COLUMNS and not figure.axes
    assert caption.startswith("No runs found.")


@pytest.mark.slow("draws every cell of the paper preset")
def test_the_paper_preset_is_legible(tmp_path, draw):
    complete(tmp_path)
    figure, _, caption = draw()
    assert_legible(figure)
    assert figure.get_figwidth() == style.WIDTHS[2] and figure.get_figheight() < 9.5
    assert len(names(figure)) == 8 + 5 + 12
    assert min(label.get_window_extent().x0 for label in figure.axes[0].get_yticklabels()) >= 0
    assert "hidden_units = 64 (paper: 256)" in caption


def test_the_five_files_are_the_same_each_time(tmp_path):
    run = write_small(tmp_path)
    written = registry.module("fig_small_copy").make(tmp_path)
    assert list(written) == [".pdf", ".svg", ".png", ".csv", ".json"]
    (stamped,) = json.loads(written[".json"])["stamp"]["runs"]
    assert stamped["path"] == (run / "run.json").relative_to(tmp_path).as_posix()
    assert registry.module("fig_small_copy").make(tmp_path)[".svg"] == written[".svg"]


def table(results):
    """The table's lines on its page, split into cells; its .csv; and the page."""
    written = registry.module("table_small_copy").make(results)
    page = written[".md"].decode()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")]
    assert written[".tex"].decode().isascii()
    return cells[2:], pd.read_csv(io.BytesIO(written[".csv"])), page


def test_the_tables_numbers_are_those_of_a_count_by_hand(tmp_path):
    """Task 7 is the fourth that is solved; evaluated at 0, 250, 500, 750 and 1000."""
    read = {0: -9.0, 250: -9.0, 500: 0.1, 750: 0.0, 1000: 0.3}
    quality = {"read": lambda replica, at: read[at] and read[at] + replica, "write": 0.625}
    write_small(tmp_path, "jax", promoted=((10, 20, 30, 400, 900), (10, 20, 30)), quality=quality)
    (line,), values, page = table(tmp_path)
    assert line == ["3", "DNI", "nothing", "JAX", "8, 6", "0.1 (1 of 2)", "", "0.70", "", "0.62", ""]
    found = values.set_index(["metric", "seed"])["value"]
    assert found["data_until_solved", 7] == pytest.approx(400 * 3 * BATCH / 1e6)
    assert math.isnan(found["data_until_solved", 8])
    low, high = values.set_index("metric").loc["explained_variance.read", ["low", "high"]]
    assert (low, high) == pytest.approx(mean_of([0.2, 1.2]).interval(), rel=1e-5)
    assert "Not in the paper: an addition" in page


def test_the_tables_lines_are_in_the_figures_order(tmp_path):
    for change, method in (("fast", "dni"), ("none", "dni"), ("fast", "bptt"), ("factor_1", "dni")):
        for framework in ("jax", "torch"):
            write_small(tmp_path, framework, method, change=change)
    lines, *_ = table(tmp_path)
    changed = [("DNI", "nothing"), ("DNI", "factor 1"), ("BPTT", "faster learning"), ("DNI", "faster learning")]
    assert [tuple(line[1:4]) for line in lines] == [
        (*name, framework) for name in changed for framework in ("PyTorch", "JAX")
    ]


def test_the_table_says_that_a_replica_diverged(tmp_path):
    """What the replica did after that is left out."""
    write_small(tmp_path, promoted=((10, 20, 30, 40), (10, 20, 500, 600)), diverged={1: 300})
    write_small(tmp_path, promoted=((10,),), diverged={0: 300}, change="fast")
    (some, every), *_ = table(tmp_path)
    assert some[4:8] == ["7, 5 (1 diverged)", "0.0 (1 of 2)", "", "0.20"]
    assert every[4:8] == ["4 (1 diverged)", "none did", "", "–"]


def test_a_table_of_no_runs_says_so(tmp_path):
    lines, values, page = table(tmp_path)
    assert lines == [] and values.empty and "No runs found" in page
