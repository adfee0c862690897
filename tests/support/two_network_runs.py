"""Runs of two networks at two rates, whose test errors are given or made up."""

import math

import numpy as np
import pandas as pd

from tests.support.runs_on_disk import STAND_INS, write_files

METHODS = ("bprop", "dni", "no_bprop")
BATCH = 256
GUESS = {"a": 62.5, "b": 67.25}
QUICK = {"preset": "quick", "differs_from_paper": ["hidden_units = 64 (paper: 256)"]}


def write_two(
    results,
    framework="torch",
    method="dni",
    period=4,
    a=None,
    b=None,
    every=50_000,
    iterations=None,
    seeds=None,
    batch=BATCH,
    stand_in=False,
    **record,
):
    """A run whose test errors are given.

    Args:
        a, b: [replicas][evaluations] errors of the two networks, an evaluation each `every` iterations; where one is
            not given it is made up from the method.
        iterations: the planned length; by default the run's own.
    """
    shape = {"replicas": len(a or b), "evaluations": len((a or b)[0])} if a or b else {}
    a, b = (given or curves(method, network, **shape) for network, given in (("a", a), ("b", b)))
    seeds = range(len(a)) if seeds is None else seeds
    cell = {"dataset": "mnist", "model": "lstm", "method": method, "period": period}
    rows = [
        (replica, seeds[replica], number * every, "test", metric, error)
        for metric, values in (("error_a", a), ("error_b", b), ("loss", a))
        for replica, curve in enumerate(values)
        for number, error in enumerate(curve)
    ]
    frame = pd.DataFrame(rows, columns=["replica", "seed", "iteration", "split", "metric", "value"])
    reached = every * (len(a[0]) - 1)
    iterations = reached if iterations is None else iterations
    description = STAND_INS["mnist"] if stand_in else "the original files"
    data = {"name": "mnist", "source": "stand-in" if stand_in else "original", "description": description}
    kept = {
        "spec": {**cell, "iterations": iterations, "batch_size": batch, "evaluation_streams": 2000},
        "seeds": list(seeds),
        "preset": "paper",
        "status": "complete" if reached == iterations else "partial",
        "iteration_reached": reached,
        "iterations": iterations,
        "diverged_seeds": sorted(set(frame.loc[~np.isfinite(frame["value"]), "seed"].tolist())),
        "differs_from_paper": [],
        "changed_choices": [],
        "data": [{**data, "files": {"train-images-idx3-ubyte.gz": "0" * 64}}],
        "facts": {
            "digits_per_iteration": float(period**2 * batch),
            "updates_of_a_per_iteration": 1.0 if method == "bprop" else float(period),
            "updates_of_b_per_iteration": 1.0,
            **{f"constant_guess_error_{network}": error for network, error in GUESS.items()},
        },
        **record,
    }
    return write_files(results, framework, "two_network", cell, frame, **kept)


def curves(method, network, evaluations=41, replicas=3, diverged=0):
    """Falling errors, DNI's sooner than joint backprop's, B's without DNI hardly.

    The first `diverged` replicas diverge.
    """
    sooner = {"bprop": 1, "dni": 3, "no_bprop": 4}[method] / (2 if network == "b" else 1)
    idle = (method, network) == ("no_bprop", "b")
    steps = np.linspace(0, 1, evaluations)
    falling = 66 + 25 * np.exp(-30 * steps) if idle else 4 + 90 * np.exp(-2.5 * np.sqrt(2 * sooner * steps))
    found = [falling * (1 + 0.03 * replica) for replica in range(replicas)]
    return [
        [math.nan if replica < diverged and step > 0.08 else error for error, step in zip(curve, steps, strict=True)]
        for replica, curve in enumerate(found)
    ]


def write_pair(results, joint, own, network="a", framework="torch", joint_changes=None, **changes):
    """Joint backprop and DNI whose errors of one network are given; those of the other are made up."""
    write_two(results, framework, "bprop", **{network: joint}, **{**changes, **(joint_changes or {})})
    write_two(results, framework, "dni", **{network: own}, **changes)


JOINT = [90, 40, 20, 10, 10]  # its last error first at 150,000
SOON = [90, 20, 10, 8, 8]  # at 100,000
SOONER = [90, 14, 4, 6, 12]  # two fifths of the way from 50,000 to 100,000: at 70,000
LATE = [90, 60, 40, 20, 0]  # half of the way from 150,000 to 200,000: at 175,000
NEVER = [90, 60, 40, 20, 10.5]
