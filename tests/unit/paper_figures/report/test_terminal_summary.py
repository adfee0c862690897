"""The last lines that `snakemake` prints."""

from __future__ import annotations

import pandas as pd
import pytest

from impls.errors import UserError
from paper_figures.report.terminal_summary import terminal_summary

ROWS = [
    ("torch", "at most", 0.5, 0.4, "not comparable"),
    ("torch", "at most", 0.5, 0.6, "not comparable"),
    ("torch", "at least", 0.5, 0.6, "reproduced"),
    ("torch", "at least", 0.5, None, "missing"),
    ("torch", "two-sided", 0.5, 0.5, "differs (worse)"),
    ("torch", "two-sided", 0.5, 0.5, "differs (better)"),
    ("jax", "at least", 0.5, 0.4, "not comparable"),
]


def test_orderings_and_verdicts_are_counted_and_files_that_exist_are_named(tmp_path):
    columns = ["framework", "direction", "value", "ours", "verdict"]
    claims = pd.DataFrame(ROWS, columns=columns).assign(id="finding/one", metric="test_error_difference", margin=0.1)
    claims.loc[claims["verdict"] == "differs (better)", "id"] = "table_feedforward/mnist"  # a number, no statement
    claims.to_csv(tmp_path / "claims.csv", index=False)
    (tmp_path / "report.html").touch()
    text = "\n".join(terminal_summary(tmp_path))
    assert "PyTorch: 3 of 4 of our means are on the paper's side of its orderings and trends" in text
    assert "JAX: 0 of 1 of our means" in text
    claims[claims["framework"] == "torch"].to_csv(tmp_path / "claims.csv", index=False)
    assert "JAX: no run of an ordering or trend yet" in "\n".join(terminal_summary(tmp_path))
    assert "PyTorch: 6 claims: 1 reproduced, 2 differs, 2 not comparable, 1 missing" in text
    assert "report.html" in text and "table_feedforward" not in text
    assert "snakemake --configfile config/paper.yaml -n" in text


@pytest.mark.parametrize("content", [None, "", "{}", "framework\ntorch\n", "\x00\xff"])
def test_claims_that_cannot_be_read_are_named(content, tmp_path):
    if content is not None:
        (tmp_path / "claims.csv").write_text(content)
    with pytest.raises(UserError, match=r"claims\.csv: .* `snakemake claims` makes it"):
        list(terminal_summary(tmp_path))
