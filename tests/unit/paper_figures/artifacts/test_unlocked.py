"""The figure and the table of several workers: what they take from runs and from times, and what if one is missing."""

import io

import numpy as np
import pandas as pd
import pytest

from paper_figures.artifacts import table_unlocked
from paper_figures.provenance.stamps import stamp
from paper_figures.runs import read_runs
from tests.support.drawn_figures import draw_figure
from tests.support.runs_on_disk import write_run
from tests.support.unlocked_runs import BATCH_MS, DELAYS, write_unlocked, write_worker_times


def drawn(results, **request):
    return draw_figure("fig_unlocked", results, **request)


def table(results):
    files = table_unlocked.make(results)
    return pd.read_csv(io.BytesIO(files[".csv"])), files[".md"].decode()


def test_the_figure_has_speeds_errors_against_seconds_and_the_price_of_a_delay(tmp_path):
    write_unlocked(tmp_path)
    write_worker_times(tmp_path)
    figure, points, caption = drawn(tmp_path)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        *("Speed", "Price of a delay", "Link of 0 ms", "Link of 5 ms")
    ]
    speed = points[points["panel"] == "speed"].set_index(["schedule", "link_delay_ms"])["value"]
    assert speed["locked", 5] == pytest.approx(1000 / (BATCH_MS["locked"][0] * 1.01 + 10), rel=1e-3)
    assert speed["one_process", 5] == speed["one_process", 0], "one process has no link"
    price = points[(points["panel"] == "delay") & (points["source"] == "jax")]
    assert sorted(price["ticks"][price["method"] == "cdni"]) == [1 + delay for delay in DELAYS]
    assert sorted(price["ticks"][price["method"] == "bprop"]) == [1, 1 + max(DELAYS)], "backpropagation waits"
    late = points[points["panel"] == "5 ms"]
    assert set(late["schedule"]) == set(BATCH_MS)
    unlocked = late[(late["schedule"] == "unlocked") & (late["source"] == "torch")]
    assert set(unlocked["link_delay"]) == {4}, "a link of 5 ms is trained with 4 ticks"
    assert unlocked["seconds"].max() == pytest.approx(6_000 * 5.5 * 1.01 / 1000, rel=1e-3)
    assert "addition of this suite" in caption and "emulated" in caption and "3 starts" in caption


def test_without_times_the_price_of_a_delay_is_drawn_alone(tmp_path):
    write_unlocked(tmp_path)
    _, points, caption = drawn(tmp_path)
    assert set(points["panel"]) == {"delay"}
    assert "python -m impls workers" in caption


def test_times_of_another_net_are_not_shown(tmp_path):
    write_unlocked(tmp_path)
    write_worker_times(tmp_path, spec={"depth": 5})
    _, points, _ = drawn(tmp_path)
    assert set(points["panel"]) == {"delay"}
    assert table(tmp_path)[0].empty


def test_the_stamp_has_the_times(tmp_path):
    """Other times, another stamp: so `verify` finds an edited file of times."""
    write_unlocked(tmp_path)
    before = stamp("fig_unlocked", tmp_path, read_runs(tmp_path, "unlocked"))
    write_worker_times(tmp_path)
    after = stamp("fig_unlocked", tmp_path, read_runs(tmp_path, "unlocked"))
    assert "times_sha256" not in before["runs"][0] and len(after["runs"][0]["times_sha256"]) == 64


def test_the_table_has_the_seconds_to_each_error(tmp_path):
    write_unlocked(tmp_path)
    write_worker_times(tmp_path)
    long, page = table(tmp_path)
    seconds = long[(long["metric"] == "seconds_to_2_percent") & (long["source"] == "torch")]
    seconds = seconds.set_index(["link_delay_ms", "schedule"])["value"]
    assert len(seconds) == 7 + 6
    assert seconds[0, "locked"] == pytest.approx(2_000 * 8.08 / 1000, rel=0.02)
    assert seconds[5, "unlocked"] < seconds[5, "data_parallel"] < seconds[5, "locked"]
    (line,) = [
        line for line in page.splitlines() if line.startswith("| 5 | unlocked (cDNI) | cDNI | 5.55 ± 0.14 (3) |")
    ]
    assert "(3)" in line.split("|")[-2]
    training = long[(long["metric"] == "seconds_to_1_percent_training_error") & (long["source"] == "jax")]
    training = training.set_index(["link_delay_ms", "schedule"])["value"]
    assert training[0, "locked"] == pytest.approx(2_000 * 8.08 / 1000, rel=0.02), "a floor of 0.6% has 1% there"


def test_an_error_that_is_not_reached_is_said_so(tmp_path):
    for method in ("bprop", "cdni", "delayed"):
        cell = {"workers": 2, "link_delay": 0}
        write_run(tmp_path, "torch", 6, method, [2.5, 2.5, 1.9], experiment="unlocked", cell=cell, iterations=6_000)
    write_worker_times(tmp_path, links=(0,))
    long, page = table(tmp_path)
    found = long[(long["metric"] == "seconds_to_2_percent") & (long["schedule"] == "locked")].iloc[0]
    assert (found["n"], found["n_diverged"]) == (1, 2) and np.isfinite(found["value"])
    assert "(1; 2 not)" in page
