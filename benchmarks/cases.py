"""The cases that are timed: one list for `pytest benchmarks` and for `python -m benchmarks` limits and compare.

The data are random, in the shapes of the data sets, because the speed does not depend on what is learnt.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

IMAGES = {"mnist": (60_000, 28, 28), "cifar10": (50_000, 32, 32, 3)}  # training examples, rows, columns, channels
CLASSES = 10
SYMBOLS, SYMBOLS_OF_TEXT = 50, 100_000


@dataclass(frozen=True)
class Case:
    """One cell of an experiment, the replicas that train at once, and the iterations of one timed launch."""

    experiment: str
    fields: dict[str, Any]  # of its spec; the others keep their default, which is the paper's
    steps: int
    replicas: int

    def spec(self) -> Any:
        from impls.registry import spec_class

        return spec_class(self.experiment)(**self.fields)

    def splits(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Training data: inputs uint8 [n, ...] and labels uint8 [n]; empty for a task that is drawn from the seeds."""
        rng = np.random.default_rng(0)
        dataset = self.spec().dataset
        if shape := IMAGES.get(dataset):
            return {"train": (rng.integers(0, 256, shape, np.uint8), rng.integers(0, CLASSES, shape[0], np.uint8))}
        if dataset == "ptb":
            text = rng.integers(0, SYMBOLS, SYMBOLS_OF_TEXT + 1).astype(np.uint8)
            return {"train": (text[:-1], text[1:])}
        return {}


# A launch of one replica takes a tenth of a second to one second on two cores.
CELLS: list[tuple[str, str, dict[str, Any], int, tuple[int, ...]]] = [
    # experiment, name, fields of the spec, steps, numbers of replicas
    ("feedforward", "no_bprop", {"method": "no_bprop"}, 50, (1, 3)),
    ("feedforward", "bprop", {"method": "bprop"}, 50, (1, 3)),
    ("feedforward", "dni", {"method": "dni"}, 20, (1, 3)),
    ("feedforward", "cdni", {"method": "cdni"}, 50, (1, 3)),
    ("feedforward", "cdni_depth_6", {"method": "cdni", "depth": 6}, 50, (1,)),
    # 64-64-10: so little arithmetic that the cost of a call is visible
    (
        "feedforward",
        "small_dni",
        {"method": "dni", "depth": 3, "hidden_units": 64, "synthetic_gradient_units": 64, "batch_size": 64},
        200,
        (1, 10),
    ),
    ("feedforward", "cnn_cdni", {"method": "cdni", "model": "cnn", "depth": 3}, 2, (1, 3)),
    ("single_dni", "dni_after_3", {"method": "dni", "cut_after": 3}, 50, (1, 3)),
    ("linear_dni", "dni", {"method": "dni", "synthetic_gradient_depth": 0}, 50, (1, 3)),
    ("stale_gradients", "stale", {"stale_decay": 0.9}, 50, (1, 3)),
    ("bp_lambda", "dni", {"method": "dni", "bp_lambda": 0.5}, 20, (1, 3)),
    ("target_scale", "cdni", {"method": "cdni", "target_scale": "batch_mean"}, 50, (1, 3)),
    ("initial_weights", "cdni", {"method": "cdni", "initial_weights": "torch_uniform"}, 50, (1, 3)),
    ("unlock", "sparse", {"method": "dni", "unlock": "sparse"}, 20, (1, 3)),
    ("unlock", "complete", {"method": "cdni", "unlock": "complete"}, 20, (1, 3)),
    ("unlocked", "cdni", {"method": "cdni", "link_delay": 4}, 50, (1, 3)),
    ("missed_visits", "cdni", {"method": "cdni", "unvisited": "frozen"}, 20, (1, 3)),
    ("recurrent", "copy_bptt", {"dataset": "copy", "method": "bptt"}, 50, (1, 2)),
    ("recurrent", "copy_dni", {"dataset": "copy", "method": "dni"}, 50, (1, 2)),
    ("recurrent", "copy_dni_t_12", {"dataset": "copy", "method": "dni", "truncation_length": 12}, 10, (1,)),
    ("recurrent", "copy_dni_aux", {"dataset": "copy", "method": "dni_aux"}, 50, (1, 2)),
    ("recurrent", "text_bptt", {"dataset": "ptb", "method": "bptt", "truncation_length": 5}, 4, (1,)),
    ("recurrent", "text_dni", {"dataset": "ptb", "method": "dni", "truncation_length": 5}, 4, (1,)),
    ("carried_state", "copy_dni", {"dataset": "copy", "method": "dni"}, 50, (1, 2)),
    ("repeat_copy_choices", "dni", {"method": "dni", "level_draw": "uniform"}, 50, (1, 2)),
    ("small_copy", "dni", {"method": "dni"}, 200, (1, 3)),
    ("two_network", "dni", {"method": "dni"}, 4, (1, 2)),
]
CASES = {
    f"{experiment}/{name}/x{replicas}": Case(experiment, fields, steps, replicas)
    for experiment, name, fields, steps, counts in CELLS
    for replicas in counts
}
# Cases of plain eager loops of one net (plain_loop.py), and the cases with which each is compared.
PLAIN = {
    "feedforward/small_dni/x1": ("feedforward/small_dni/x1", "feedforward/small_dni/x10"),
    "recurrent/copy_bptt/x1": ("recurrent/copy_bptt/x1", "recurrent/copy_bptt/x2"),
}
# What grows, from which case to which, and by what factor the work grows.
GROWTH = [
    ("hidden layers with M, 3 to 5", "feedforward/cdni/x1", "feedforward/cdni_depth_6/x1", 5 / 3),
    ("T, 3 to 12", "recurrent/copy_dni/x1", "recurrent/copy_dni_t_12/x1", 4),
    *(
        (f"replicas of {cell}, 1 to {counts[-1]}", f"{cell}/x1", f"{cell}/x{counts[-1]}", counts[-1])
        for cell, counts in ((f"{experiment}/{name}", counts) for experiment, name, _, _, counts in CELLS)
        if len(counts) > 1
    ),
]


def names(*experiments: str) -> list[str]:
    """Names of the cases of the given experiments, in order."""
    return [name for name, case in CASES.items() if case.experiment in experiments]


if __name__ == "__main__":
    print(json.dumps(list(CASES)))
