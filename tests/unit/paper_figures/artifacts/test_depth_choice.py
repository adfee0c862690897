"""fig_depth_choice: which depth of M each replica chooses, and what is said where trainings are missing or diverged."""

import math

import pandas as pd
import pytest

from tests.support.figure_assertions import assert_legible
from tests.support.runs_on_disk import write_run


def write_search(results, test, valid, depth=3, **settings):
    """Trainings with M of 0, 1, 2 hidden layers; `test` and `valid` hold [three depths][replicas] errors at the end."""
    for hidden in range(3):
        metrics = {("valid", "error"): valid[hidden]} if valid else {}
        cell = {"synthetic_gradient_depth": hidden}
        at = {"depth": depth, "cell": cell, "final": test[hidden], "metrics": metrics}
        write_run(results, experiment="linear_dni", **at, **settings)


def test_each_replica_chooses_its_own_depth_of_m(tmp_path, draw):
    # Chosen on test: depths 2, 1, 2 with errors 2, 3, 4. Chosen on validation: 2, 0, 0 (a tie of all) with 2, 4, 7.
    test = [[3.0, 4.0, 7.0], [5.0, 3.0, 6.0], [2.0, 9.0, 4.0]]
    valid = [[3.0, 2.0, 5.0], [4.0, 3.0, 5.0], [2.5, 9.0, 5.0]]
    write_search(tmp_path, test, valid)
    figure, points, caption = draw("fig_depth_choice")
    by_split = points.set_index("chosen_on")
    assert by_split["value"].to_dict() == pytest.approx({"test": 3, "valid": 13 / 3}, rel=1e-5)
    assert by_split["chosen"].to_dict() == {"test": "2 (2/3)", "valid": "0 (2/3)"}
    half = 4.302653 * 1.0 / math.sqrt(3)
    assert by_split.loc["test", "low"] == pytest.approx(3 - half, rel=1e-5)
    assert {"2 (2/3)", "0 (2/3)"} <= {text.get_text() for text in figure.axes[0].texts}
    assert "an addition of this suite" in caption and "which is optimistic" in caption
    assert_legible(figure)  # though the intervals reach below zero


def test_trainings_of_different_length_are_compared_where_all_have_come(tmp_path, draw):
    constant = {("test", "error"): lambda replica, iteration: 5 - iteration / 200_000, ("valid", "error"): [1, 1, 1]}
    for hidden, reached in ((0, 500_000), (1, 200_000), (2, 500_000)):
        cell = {"synthetic_gradient_depth": hidden}
        write_run(tmp_path, experiment="linear_dni", depth=3, cell=cell, metrics=constant, reached=reached)
    _, points, _ = draw("fig_depth_choice")
    assert set(points["iteration"]) == {200_000} and set(points["value"]) == {4}


def test_a_training_that_diverged_is_not_chosen(tmp_path, draw):
    write_search(tmp_path, [[1.0] * 3, [2.0] * 3, [3.0] * 3], [[1.0] * 3, [2.0] * 3, [3.0] * 3])
    (run,) = tmp_path.glob("**/synthetic_gradient_depth~0/torch/curves.parquet")
    curves = pd.read_parquet(run)
    curves.loc[(curves["seed"] == 1) & (curves["iteration"] > 0), "value"] = math.nan
    curves.to_parquet(run)
    _, points, caption = draw("fig_depth_choice")
    assert points["value"].tolist() == pytest.approx([4 / 3] * 2, rel=1e-5) and set(points["n_diverged"]) == {0}
    assert "Replicas that diverged (crosses): 3 layers (1 of 9 trainings)." in caption


def test_without_validation_error_the_figure_says_so(tmp_path, draw):
    write_search(tmp_path, [[1.0] * 3, [2.0] * 3, [3.0] * 3], None)
    figure, points, caption = draw("fig_depth_choice")
    assert list(points["chosen_on"]) == ["test"]
    assert "Validation error was not recorded: PyTorch." in caption
    assert_legible(figure)
