"""Whole runs of recurrent nets: training on a text ends by its rule; promotions reach the curves and survive stops."""

from __future__ import annotations

import pandas as pd
import pytest

from impls.engine.evaluate import evaluate
from impls.engine.options import Options
from impls.engine.record import read_record
from impls.engine.train import train
from impls.experiments.recurrent.spec import Spec
from tests.support.harness import framework_axis

pytestmark = pytest.mark.slow("trains recurrent nets in both frameworks")


@framework_axis
def test_training_on_a_text_ends_once_validation_rises(framework, tmp_path):
    spec = Spec.tiny(dataset="ptb", method="bptt", learning_rate=5.0, iterations=100, evaluate_every=10)
    options = Options(framework=framework, replicas=2, output=tmp_path)
    record = train("recurrent", spec, options)
    assert (record.status, record.iterations) == ("complete", 100)
    assert record.iteration_reached < 100
    assert record.data[0].facts["entropy_rate"] > 2
    valid = pd.read_parquet(tmp_path / "curves.parquet").query("split == 'valid'")
    curves = valid.pivot(index="iteration", columns="replica", values="value")
    risen = (curves.diff() > 0).any()
    assert risen.all()
    assert curves.index[-1] == record.iteration_reached
    assert not (curves.iloc[:-1].diff() > 0).any().all(), "it went on after all had risen"
    assert any("test bits_per_character" in line for line in evaluate(tmp_path))
    assert train("recurrent", spec, options.model_copy(update={"resume": True})) == read_record(tmp_path / "run.json")


@framework_axis
def test_promotions_are_the_same_whether_a_run_was_stopped_or_not(framework, tmp_path):
    spec = Spec.tiny(method="dni_aux", iterations=60, evaluate_every=20, regression_gradient=True)
    train("recurrent", spec, Options(framework=framework, replicas=2, output=tmp_path / "whole"))
    stopping = Options(framework=framework, replicas=2, output=tmp_path / "cut", resume=True, max_minutes=1e-9)
    sessions = 0
    while train("recurrent", spec, stopping).status == "partial":
        sessions += 1
        found = pd.read_parquet(tmp_path / "cut/curves.parquet").query("split == 'curriculum'")
        assert found["iteration"].max() <= 20 * sessions
    assert sessions == 2
    whole, cut = (pd.read_parquet(tmp_path / name / "curves.parquet") for name in ("whole", "cut"))
    pd.testing.assert_frame_equal(whole, cut, check_exact=True)
    promotions = whole.query("split == 'curriculum' and iteration > 0")
    assert set(promotions["value"]) == {4.0, 5.0, 6.0, 7.0}
