"""claims.csv: every published number of the paper is there, with a margin that follows its rule, and can be trained."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from impls.presets import cells, load_preset
from impls.registry import experiments, spec_class
from paper_figures import registry
from paper_figures.claims.matching import OPEN, cell_of, fields_of, fits, read_claims, reference_of
from paper_figures.claims.statistics import AT_MOST, TWO_SIDED
from paper_figures.runs import ROOT
from tests.support.published_numbers import (
    BIN_ENDS,
    MEDIANS,
    PTB_CURVES,
    SINGLE_DNI,
    STALE,
    TABLE,
    TABLE_RNN,
    TRUNCATION_LENGTHS,
    TWO_NETWORK,
)


def margin_rule(claim):
    """The margin by the rule for its kind of claim, and words that its reason must contain."""
    kind, value = (claim["dataset"], claim["model"]), claim["value"]
    if claim["experiment"] == "recurrent":
        return recurrent_margin_rule(claim)
    if claim["experiment"] == "two_network":
        return two_network_margin_rule(claim)
    base, words = (0.1 * value, "10% of the value") if value > 3 else (0.3, "0.3 points")
    if claim["replicas"]:
        medians = MEDIANS[claim["artifact"], claim["method"], claim["iteration"]]
        here = BIN_ENDS.index(claim["replicas"].split()[1]) - (len(BIN_ENDS) - len(medians))
        around = medians[max(here - 1, 0) : here + 2]
        half_step = abs(around[0] - around[-1]) / (len(around) - 1) / 2
        return (half_step + 0.1, "half of that") if half_step > base else (base + 0.1, words)
    if claim["obtained"] == "digitised":
        return base + 0.1, words
    if claim["artifact"] == "text_deep":
        return 0.3 + 0.5, "0.3 points. Plus the reading error 0.5"
    if kind == ("cifar10", "fcn"):
        step = (1.2, "half of that step, 1.2 points")
        return {"bprop": (1.1, "1.1 points"), "cdni": (2.4, "2.4 points")}.get(claim["method"], step)
    if kind == ("cifar10", "cnn"):
        return (0.8, "0.8 points") if claim["method"] == "bprop" else (0.05 * value, "5% of the value")
    if kind == ("mnist", "cnn"):
        return (0.35, "0.35 points") if value > 2 else (0.2, "0.2 points")
    return base, words


def recurrent_margin_rule(claim):
    if claim["metric"] == "max_solved_task_length":
        return 1, "one step. The reading error is half a step"
    if claim["artifact"] == "table_rnn":
        return 0.01 + 0.005, "one digit of the table, 0.01 bits, plus the 0.005"
    if claim["artifact"] == "text_ptb":
        return 0.1, "0.11 of the 800,000"
    length = int(cell_of(claim)["truncation_length"])
    thousands, bits = PTB_CURVES[claim["method"], length]
    here = thousands.index(claim["iteration"] * length / 1000)
    before, after = max(here - 1, 0), min(here + 1, len(bits) - 1)
    fall = 0.05 * thousands[here] * (bits[before] - bits[after]) / (thousands[after] - thousands[before])
    return 0.01 + 0.001 + fall, f"plus the {fall:.3f} by which the curve falls within 5%"


def two_network_margin_rule(claim):
    if claim["direction"] == AT_MOST:
        return 0, "upper bound"

    def standard_error(error, streams=2_000):
        return 100 * math.sqrt(error * (1 - error) / streams)

    if claim["metric"] == "final_difference_b":
        return 1.5 * math.sqrt(2) * standard_error(0.2), "1.5 times that, 1.9 points"
    # 5,074 of the test digits are odd, 1,010 threes. B's best constant guess, and its best given the count of odd ones:
    odd, threes, digits = 0.5074, 0.1010, 16
    guess = stats.binom.pmf(range(digits + 1), digits, threes).max()
    told = [stats.binom.pmf(range(count + 1), count, threes / odd).max() for count in range(digits + 1)]
    gain = 100 * (np.dot(stats.binom.pmf(range(digits + 1), digits, odd), told) - guess)
    return gain + 2 * standard_error(guess), f"{gain:.2f} points below the constant guess"


def published_numbers():
    """The claims that are numbers of the paper; its findings in words, and our hypotheses: test_findings_file.py."""
    table = read_claims()
    return table[~table["id"].str.startswith(("finding/", "hypothesis/"))]


def test_every_number_has_a_margin_and_its_reason():
    table = published_numbers()
    assert table["artifact"].value_counts().to_dict() == {
        "fig_feedforward_curves": 64,
        "table_feedforward": 48,
        "fig_sparse_updates": 37,
        "fig_complete_unlock": 36,
        "table_rnn": 41,
        "fig_ptb_curves": 39,
        "text_single_dni": 5,
        "text_stale_gradients": 4,
        "text_deep": 1,
        "text_ptb": 1,
        "fig_two_network": 4,
    }
    assert table["id"].is_unique
    two_sided = (
        "test_error",
        "test_error_at_p_update",
        "max_solved_task_length",
        "test_bits_per_character",
        "data_fraction_to_reach_bptt20",
    )
    assert dict(zip(table["metric"], table["direction"], strict=True)) == {
        **dict.fromkeys(two_sided, TWO_SIDED),
        **{metric: direction for metric, (_, _, direction) in TWO_NETWORK.items()},
    }
    for claim in table.to_dict("records"):
        name, reason = claim["id"], claim["reason"]
        margin, words = margin_rule(claim)
        # Margins are printed to 0.01 points, and to 0.001 bits; those of claims without a number to 0.1 points.
        printed = {"percent": 0.006, "percentage points": 0.06}.get(claim["unit"], 0.0006)
        assert claim["margin"] == pytest.approx(margin, abs=printed), name
        if claim["experiment"] == "two_network":  # in words, so nothing was read
            assert claim["reading_error"] == 0 and (claim["margin"] > 0) == (claim["direction"] == TWO_SIDED), name
        else:
            assert claim["margin"] > claim["reading_error"] > 0, name
        assert len(reason) > 60 and words in reason, name
        read_off = claim["obtained"] == "digitised" or claim["reading_error"] > 0.05
        assert ("reading error" in reason) == read_off, name
        assert ("random features" in reason) == (claim["method"] in ("no_bprop", "stale")), name
        assert ("the median of the dots in the bin" in reason) == bool(claim["replicas"]), name
        assert claim["artifact"] in registry.names(), name
        place = [claim[column] for column in ("artifact", "dataset", "model", "layers", "method")]
        assert name.startswith("/".join(str(part) for part in place if not pd.isna(part))), name


def test_published_numbers_are_the_papers():
    table = read_claims()
    printed = table[table["artifact"] == "table_feedforward"]
    for (dataset, model), rows in printed.groupby(["dataset", "model"]):
        by_method = rows.pivot(index="layers", columns="method", values="value")
        assert list(by_method.index) == [3, 4, 5, 6][: len(by_method)]
        assert {method: list(by_method[method]) for method in by_method} == TABLE[dataset, model]
    read = table[table["artifact"] == "fig_feedforward_curves"]
    assert read.groupby(["method", "layers"])["value"].sum().round(2).to_dict() == {
        **{("dni", 3): 17.8, ("dni", 4): 21.7, ("dni", 5): 32.0, ("dni", 6): 40.3},
        **{("cdni", 3): 16.6, ("cdni", 4): 14.75, ("cdni", 5): 14.1, ("cdni", 6): 15.2},
    }
    (deep,) = table[table["artifact"] == "text_deep"].to_dict("records")
    assert (deep["layers"], deep["method"], deep["value"]) == (21, "cdni", 2.0)
    stale = table[table["artifact"] == "text_stale_gradients"]
    assert dict(zip(stale["layers"], stale["value"], strict=True)) == STALE
    single = table[table["artifact"] == "text_single_dni"].to_dict("records")
    assert {(claim["method"], int(cell_of(claim)["cut_after"])): claim["value"] for claim in single} == SINGLE_DNI
    for (artifact, method, iteration), medians in MEDIANS.items():
        bins = table[(table["artifact"] == artifact) & (table["method"] == method) & (table["iteration"] == iteration)]
        ends = [f"p_update {bin_ends}" for bin_ends in BIN_ENDS[-len(medians) :]]
        assert dict(zip(bins["replicas"], bins["value"], strict=True)) == dict(zip(ends, medians, strict=True))


def test_published_numbers_of_recurrent_nets_are_the_papers():
    """Each has exactly one claim. Where training stops by its own rule, the claim has no iteration."""
    found = {artifact: rows.to_dict("records") for artifact, rows in read_claims().groupby("artifact")}
    printed, read = {}, {}
    for claim in found["table_rnn"]:
        assert (claim["iteration"] == 2_500_000) if claim["dataset"] != "ptb" else pd.isna(claim["iteration"])
        place = claim["dataset"], claim["method"], int(cell_of(claim)["truncation_length"])
        assert place not in printed
        printed[place] = claim["value"]
    assert printed == {
        (dataset, method, length): value
        for dataset, methods in TABLE_RNN.items()
        for method, values in methods.items()
        for length, value in zip(TRUNCATION_LENGTHS, values, strict=False)
    }
    for claim in found["fig_ptb_curves"]:
        length = int(cell_of(claim)["truncation_length"])
        place = claim["method"], length, claim["iteration"] * length
        assert place not in read
        read[place] = claim["value"]
    assert read == {
        (method, length, 1000 * x): bits
        for (method, length), curve in PTB_CURVES.items()
        for x, bits in zip(*curve, strict=True)
    }
    (share,) = found["text_ptb"]
    assert (share["value"], share["method"], share["cell"]) == (0.58, "dni_aux", "truncation_length~5")


def test_what_the_text_says_of_two_networks_are_four_claims():
    """At 200,000 updates of the joint system, which is this suite's choice."""
    table = read_claims()
    found = table[table["artifact"] == "fig_two_network"].set_index("metric")
    rows = zip(found["method"], found["value"], found["direction"], strict=True)
    assert dict(zip(found.index, rows, strict=True)) == TWO_NETWORK
    assert set(found["iteration"]) == {200_000} and set(found["cell"]) == {"period~4"}
    assert set(found["obtained"]) == {"text"}


def test_every_claim_names_a_cell_that_can_be_trained():
    """With the fields of its experiment's spec, in the order of the path, and values that the spec accepts."""
    for claim in read_claims().to_dict("records"):
        asked = cell_of(claim)
        closed = {name: value for name, value in asked.items() if value != OPEN}
        spec = spec_class(claim["experiment"])(**closed)
        assert list(asked) == list(spec.cell_fields), claim["id"]
        assert closed.items() <= {name: str(value) for name, value in spec.cell().items()}.items(), claim["id"]
        assert pd.isna(claim["iteration"]) or claim["iteration"] <= spec.iterations, claim["id"]


def test_the_paper_preset_makes_every_claims_cells():
    """Each claim's own cell, and the cell that it is compared with."""
    preset = load_preset(ROOT / "config/paper.yaml")
    trained = [
        SimpleNamespace(record=SimpleNamespace(experiment=name), cell=spec_class(name)(**cell).cell())
        for name in experiments()
        for cell in cells(preset, name)
    ]
    for claim in read_claims().to_dict("records"):
        own = [run for run in trained if fits(claim, run)]
        assert own, claim["id"]
        for run in own if claim["reference"] else []:
            reference = reference_of(claim, run, trained)
            assert reference is not None and reference is not run, claim["id"]
            named = fields_of(claim["reference"])
            assert named.pop("experiment", claim["experiment"]) == reference.record.experiment, claim["id"]
            found = {name: str(value) for name, value in reference.cell.items()}
            assert named.items() <= found.items(), claim["id"]
