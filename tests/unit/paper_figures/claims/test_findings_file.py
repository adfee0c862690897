"""The paper's findings in words (orderings, trends) as rows of claims.csv: their bounds, and what would deny them."""

import pytest

from paper_figures.claims.estimates import mean_of
from paper_figures.claims.matching import cell_of, fields_of, read_claims
from paper_figures.claims.measures import MEASURES
from paper_figures.claims.statistics import AT_LEAST, AT_MOST, TWO_SIDED, verdict

# Independent of claims.csv: the direction and the bound of each finding, and how many cells it is about.
FINDINGS = {
    "worse_with_depth": (AT_LEAST, 0.05, 6),
    "dni_below_no_bprop": (AT_MOST, -0.05, 4),
    "cdni_as_good_as_bprop": (AT_MOST, 0.3, 2),
    "stale_above_dni": (AT_LEAST, 0.05, 2),
    "dni_underfits": (AT_LEAST, 0.05, 1),
    "cdni_cures_underfitting": (AT_MOST, -0.05, 2),
    "linear_dni_trains": (AT_MOST, -0.05, 1),
    "worse_near_classifier": (AT_LEAST, 0.05, 2),
    "cdni_removes_the_difference": (AT_MOST, 0.3, 1),
    "cosine_above_zero": (AT_LEAST, 0.01, 2),
    "cosine_slight": (AT_MOST, 0.5, 2),
    "sign_error_below_half": (AT_MOST, 50, 2),
    "l2_error_falls": (AT_MOST, 0.9, 2),
    "cdni_worse_with_p_update": (TWO_SIDED, 0.06, 1),
    "cdni_slower_with_sparse_updates": (TWO_SIDED, -0.35, 1),
    "dni_trains_at_a_fifth": (AT_MOST, 2.5, 1),
    "cdni_trains_at_a_twentieth": (AT_MOST, 2.5, 1),
    "complete_unlock_as_good_as_sparse": (AT_MOST, 0.3, 2),
    "dni_beyond_bptt": (AT_LEAST, 0.5, 8),
    "dni_aux_beyond_dni": (AT_LEAST, 0.5, 4),
    "dni_below_bptt": (AT_MOST, -0.005, 5),
    "dni_aux_below_dni": (AT_MOST, -0.005, 1),
}
WORDS = {0.5: "half", 0.9: "lower by a tenth"}  # bounds that a reason names in words


def findings():
    table = read_claims()
    return table[table["id"].str.startswith("finding/")]


def test_every_finding_has_a_bound_and_its_reason():
    table = findings()
    assert set(table["artifact"]) == {"claims"}, "a drawing would take a finding for a number of its own"
    slugs = table["id"].str.split("/").str[1]
    assert slugs.value_counts().to_dict() == {name: count for name, (_, _, count) in FINDINGS.items()}
    for claim, slug in zip(table.to_dict("records"), slugs, strict=True):
        name, reason, value = claim["id"], claim["reason"], claim["value"]
        assert (claim["direction"], value) == FINDINGS[slug][:2], name
        assert claim["obtained"] in ("table", "text", "digitised"), name
        if claim["direction"] == TWO_SIDED:
            assert claim["margin"] > 0 == claim["reading_error"] and f"{claim['margin']:.2f}" in reason, name
        else:
            assert (claim["margin"], claim["reading_error"]) == (0, 0), name
            assert "is the bound" in reason or "the bound is" in reason, name
        assert len(reason) > 120, name
        assert "paper" in reason and WORDS.get(value, f"{abs(value):g}") in reason, name


def test_a_finding_is_what_the_papers_own_numbers_say():
    """Where the paper's tables have both cells, their difference is on the right side of the bound."""
    table = read_claims()
    numbers = table[
        table["artifact"].isin(["table_feedforward", "table_rnn", "text_single_dni", "text_stale_gradients"])
    ]
    by_cell = {tuple(sorted(cell_of(claim).items())): claim["value"] for claim in numbers.to_dict("records")}
    checked = 0
    for claim in findings().to_dict("records"):
        own, others = cell_of(claim), fields_of(claim["reference"])
        if claim["replicas"] or not others or claim["metric"] == "train_error_difference":
            continue
        if others.pop("experiment", None) == "feedforward":
            own_only = {name: value for name, value in own.items() if name in ("dataset", "model", "depth", "method")}
        else:
            own_only = own
        pair = [by_cell.get(tuple(sorted(cell.items()))) for cell in (own, own_only | others)]
        if None in pair:
            continue
        difference = pair[0] - pair[1]
        assert (difference > claim["value"]) == (claim["direction"] == AT_LEAST), claim["id"]
        checked += 1
    assert checked == 34


# By finding: what the paper has (or would be content with), and values that contradict it.
CONTRADICTED_BY = {
    "worse_with_depth": (1.9, {"no rise": 0.0}),
    "dni_below_no_bprop": (-2.1, {"no better than none": 0.0}),
    "cdni_as_good_as_bprop": (-0.2, {"as bad as DNI": 2.5}),
    "stale_above_dni": (7.2, {"as good as DNI": 0.0}),
    "dni_underfits": (2.0, {"no difference": 0.0}),
    "cdni_cures_underfitting": (-3.1, {"no difference": 0.0}),
    "linear_dni_trains": (-10.0, {"no better than none": 0.0}),
    "worse_near_classifier": (1.6, {"no difference": 0.0}),
    "cdni_removes_the_difference": (0.1, {"the difference that DNI has": 1.6}),
    "cosine_above_zero": (0.1, {"a zero gradient": 0.0, "a wrong gradient": -0.1}),
    "cosine_slight": (0.1, {"the true gradient": 1.0}),
    "sign_error_below_half": (40.0, {"hardly better than at random": 50.3, "a zero gradient": 100.0}),
    "l2_error_falls": (0.5, {"no fall": 1.0}),
    "cdni_worse_with_p_update": (0.06, {"no dependence": 0.0, "no slight rise": 0.3}),
    "cdni_slower_with_sparse_updates": (-0.35, {"no dependence": 0.0, "twice as steep": -0.7}),
    "dni_trains_at_a_fifth": (2.3, {"as at p_update = 0.015": 4.6}),
    "cdni_trains_at_a_twentieth": (2.0, {"as DNI at that p_update": 3.4}),
    "complete_unlock_as_good_as_sparse": (0.1, {"as near p_update = 0": 1.3}),
    "dni_beyond_bptt": (4.0, {"no further": 0.0}),
    "dni_aux_beyond_dni": (1.0, {"no further": 0.0}),
    "dni_below_bptt": (-0.01, {"no better": 0.0}),
    "dni_aux_below_dni": (-0.01, {"no better": 0.0}),
}


@pytest.mark.parametrize("name", FINDINGS)
def test_a_finding_can_fail(name):
    """Ten replicas of what the paper has reproduce it; of what contradicts it, they deny it."""
    for claim in findings().to_dict("records"):
        if claim["id"].split("/")[1] == name:
            settings = {"resolution": MEASURES[claim["metric"]].resolution, "direction": claim["direction"]}
            papers, contradictions = CONTRADICTED_BY[name]
            for value, word in [(papers, "reproduced"), *((value, "differs") for value in contradictions.values())]:
                estimate = mean_of([value] * 10)
                found = verdict(estimate, claim["value"], claim["margin"], True, **settings).word
                assert found.startswith(word), (claim["id"], value)


def test_a_hypothesis_is_ours_and_says_so():
    """Two of them, each a bound with its reason; none counts among the numbers and findings of the paper."""
    table = read_claims()
    ours = table[table["artifact"] == "hypotheses"]
    assert list(ours["id"].str.split("/").str[1]) == [
        "unlocked_sooner_than_all_that_wait",
        "synthetic_bears_delay_better_than_true",
    ]
    assert ours["id"].str.startswith("hypothesis/").all() and set(ours["obtained"]) == {"hypothesis"}
    for claim in ours.to_dict("records"):
        assert claim["section"].startswith("Additions of this suite"), claim["id"]
        assert (claim["direction"], claim["margin"], claim["reading_error"]) == (AT_MOST, 0, 0), claim["id"]
        assert claim["reason"].startswith("Ours, written before the runs"), claim["id"]
        assert f"{claim['value']:g} is the bound" in claim["reason"], claim["id"]
