"""The table of claims of a results folder, and one of its rows."""

import io

import pandas as pd

from paper_figures.artifacts import claims


def judged(results):
    """The table of claims as written to disk."""
    table = pd.read_csv(io.BytesIO(claims.make(results)[".csv"]))
    text = ["verdict", "why", "chosen", "run"]
    return table.assign(**table[text].astype(object).fillna(""))


def row(table, framework="torch", claim="table_feedforward/mnist/fcn/4/dni"):
    """The one row of a claim and framework, as a dict."""
    (found,) = table[(table["id"] == claim) & (table["framework"] == framework)].to_dict("records")
    return found


def finding(results, name, framework="torch"):
    """The row of a finding of the paper, such as "worse_with_depth/mnist/fcn/no_bprop"."""
    return row(judged(results), framework, f"finding/{name}")
