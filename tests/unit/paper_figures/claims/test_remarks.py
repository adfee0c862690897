"""What is said beside a verdict: post hoc, other methods that fit, code that was not committed, resolving power."""

import json
import math

import pytest

from paper_figures import registry
from paper_figures.claims.matching import read_claims
from paper_figures.claims.remarks import also_fits, remarks, resolves_text, verdict_text
from paper_figures.drawing import captions
from paper_figures.publish.summary import Summary
from paper_figures.runs import ROOT, all_runs
from tests.support.judged_claims import judged, row
from tests.support.runs_on_disk import EQUAL, edit_record, write_run

ROW = {
    "verdict": "reproduced",
    "post_hoc": False,
    "also_fits": "",
    "uncommitted_code": False,
    "resolves": 0.734,
    "n_diverged": 0,
}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "reproduced, resolves 0.73"),
        ({"resolves": 1.04}, "reproduced, resolves 1.0"),
        ({"resolves": math.nan}, "reproduced"),
        ({"post_hoc": True}, "reproduced, post hoc, resolves 0.73"),
        ({"also_fits": "bprop, cdni"}, "reproduced, also fits Backprop and cDNI, resolves 0.73"),
        ({"also_fits": "bprop", "verdict": "differs (worse)"}, "differs (worse), resolves 0.73"),
        ({"verdict": "differs (worse)", "n_diverged": 1}, "differs (worse)"),
        ({"uncommitted_code": True, "verdict": "not comparable"}, "not comparable, uncommitted code"),
        ({"uncommitted_code": True, "post_hoc": True, "verdict": "missing"}, "missing"),
    ],
)
def test_remarks_in_words(changes, text):
    assert verdict_text(ROW | changes) == text
    assert resolves_text(ROW | changes) or math.isnan(changes["resolves"])


def test_margins_that_do_not_tell_methods_apart():
    """By hand from the table: mnist/fcn/4 has 12.6, 1.8, 2.2 and 1.9, with margins of 0.3 from 1.8 to 2.2."""
    claims = read_claims()
    found = dict(zip(claims["id"], also_fits(claims), strict=True))
    by_hand = {"no_bprop": "", "bprop": "cdni", "dni": "", "cdni": "bprop"}  # 2.2 - 1.9 is the margin, not inside
    assert {method: found[f"table_feedforward/mnist/fcn/4/{method}"] for method in by_hand} == by_hand
    table = claims[(claims["artifact"] == "table_feedforward") & (claims["method"] != "bprop")]
    assert sum("bprop" in found[name].replace("no_bprop", "").split(", ") for name in table["id"]) == 12
    assert len(table) == 36
    # On a ladder in steps: Copy with T = 2 has 16 for DNI and for DNI + Aux; Repeat Copy with T = 3 has 33 and 59.
    assert found["table_rnn/copy/lstm/dni/truncation_length~2"] == "dni_aux"
    assert found["table_rnn/repeat_copy/lstm/dni/truncation_length~3"] == ""
    assert not any(found[name] for name in claims.loc[claims["direction"] != "two-sided", "id"])


def test_what_is_beside_a_verdict_is_in_every_file(tmp_path):
    results = tmp_path / "cpu"
    for method, final in (("bprop", [1.8, 1.81, 1.83]), ("dni", EQUAL)):
        run = write_run(results, method=method, final=final)
        code = json.loads((run / "run.json").read_text())["code"]
        edit_record(run, started_at="2020-01-01T00:00:00+00:00", code=code | {"git_dirty": method == "dni"})
    table = judged(results)
    bprop, dni = (row(table, claim=f"table_feedforward/mnist/fcn/4/{method}") for method in ("bprop", "dni"))
    assert (bprop["also_fits"], bprop["post_hoc"], bprop["uncommitted_code"]) == ("cdni", True, False)
    assert dni["uncommitted_code"] and dni["resolves"] == pytest.approx(
        (dni["prediction_high"] - dni["prediction_low"]) / 2 / 0.3, rel=1e-4
    )
    made = registry.module("table_feedforward").make(results)
    text = made[".md"].decode()
    assert "(3) reproduced, post hoc, also fits cDNI, resolves 0." in text
    assert "(3) reproduced, post hoc, uncommitted code, resolves 0." in text
    for words in (
        "post hoc: the value",
        "also fits: the paper",
        "uncommitted code: the run",
        "resolves: the half-width",
    ):
        assert words in text
    assert "also_fits" in made[".csv"].decode().splitlines()[0]
    values = registry.module("values").make(results)[".tex"].decode()
    assert "{reproduced, post hoc, also fits cDNI}" in values
    page = Summary(tmp_path).all_results(ROOT / "README.md")
    assert "| reproduced, post hoc, also fits cDNI |" in page
    assert "1 of 2 runs from code with edits that no commit has" in captions.machines_line(all_runs(results))


def test_a_missing_run_has_no_remark():
    assert remarks(ROW | {"verdict": "missing", "post_hoc": True, "uncommitted_code": True}) == []
