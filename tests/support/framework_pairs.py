"""A cell in both frameworks, and the table that compares them."""

import io

import pandas as pd

from paper_figures.artifacts import table_frameworks
from tests.support.runs_on_disk import write_run

CPU = {"kind": "cpu", "name": "AMD EPYC", "threads": 2}


def write_both(results, torch, jax, torch_changes=None, jax_changes=None, **changes):
    """A cell in both frameworks, whose replicas end at these errors."""
    write_run(results, "torch", final=torch, **{**changes, **(torch_changes or {})})
    write_run(results, "jax", final=jax, **{**changes, **(jax_changes or {})})


def table(results):
    found = pd.read_csv(io.BytesIO(table_frameworks.make(results)[".csv"]))
    text = ["metric", "unit", "margin_from", "verdict", "why", "speed_obstacles"]
    return found.assign(**found[text].astype(object).fillna("")).set_index("cell", drop=False)


def only(results):
    (row,) = table(results).to_dict("records")
    return row


def page(results):
    return table_frameworks.make(results)[".md"].decode()


def only_spec(run):
    return pd.read_json(run / "run.json", typ="series")["spec"]
