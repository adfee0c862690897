"""Runs of Copy in minutes, whose promotions and quality of M are given."""

import itertools
import math

import pandas as pd

from tests.support.runs_on_disk import write_files

BATCH = 64
QUALITY = {"read": 0.2, "write": 0.6}


def write_small(
    results,
    framework="torch",
    method="dni",
    length=3,
    change="none",
    promoted=((100, 900), (150, 400, 950)),
    reached=1000,
    quality=QUALITY,
    diverged=None,
    climbs=True,
    **record,
):
    """A run that is evaluated five times.

    Args:
        promoted: by replica, the iterations at which it solves the tasks of length 4, 5, ...
        quality: by phase the explained variance: a number, or a function of (replica, iteration).
        diverged: by replica, the iteration at which it diverges.
        climbs: whether promotions are recorded.
    """
    cell = {"dataset": "copy", "model": "lstm", "method": method, "truncation_length": length, "change": change}
    rows = []
    for replica, iterations in enumerate(promoted):
        end = (diverged or {}).get(replica, math.inf)
        steps = [(0, 0), *((at, 4 + level) for level, at in enumerate(iterations) if at < end)]
        rows += [(replica, at, "curriculum", "max_solved_task_length", value) for at, value in steps if climbs]
        evaluated = sorted({*(reached * k // 4 for k in range(5)), *({end} - {math.inf})})
        metrics = {"task_length": 5} | {f"explained_variance.{phase}": value for phase, value in quality.items()}
        for (metric, value), at in itertools.product(metrics.items(), evaluated):
            if method != "bptt" or metric == "task_length":
                value = value(replica, at) if callable(value) else value
                rows.append((replica, at, "batch", metric, value if at < end else math.nan))
    frame = pd.DataFrame(rows, columns=["replica", "iteration", "split", "metric", "value"])
    frame["seed"] = frame["replica"] + 7
    kept = {
        "spec": {**cell, "iterations": reached, "batch_size": BATCH},
        "seeds": [replica + 7 for replica in range(len(promoted))],
        "preset": "paper",
        "status": "complete",
        "iteration_reached": reached,
        "iterations": reached,
        "diverged_seeds": [replica + 7 for replica in diverged or {}],
        "differs_from_paper": ["hidden_units = 64 (paper: 256)"],
        "changed_choices": [],
        "data": [{"name": "copy", "source": "generated", "description": "one line", "files": {"x.txt": "0" * 64}}],
        **record,
    }
    return write_files(results, framework, "small_copy", cell, frame, **kept)
