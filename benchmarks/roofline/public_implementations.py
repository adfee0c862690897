"""Reported times of public implementations for a step at their own sizes: milliseconds on a CPU.

cases.py has a case for each, as similar as our specs allow; `differs` states the remaining differences.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Public(NamedTuple):
    """A public implementation's time for one step, and how the corresponding case differs."""

    milliseconds: float
    shape: str
    differs: str


_ONE_DNI = {"depth": 3, "hidden_units": 256, "batch_size": 64}
_ONE_MODEL = {"cut_after": 1, "synthetic_gradient_depth": 1, "synthetic_gradient_units": 256}
_BATCH_NORM_IN_M = "the hidden layer of our M has batch norm"

# experiment, name, fields of the spec, steps of a launch, what is known of the public one
_CASES: list[tuple[str, str, dict[str, Any], int, Public]] = [
    (
        "single_dni",
        "784-256-256-10_dni",
        _ONE_DNI | _ONE_MODEL | {"method": "dni"},
        50,
        Public(3.8, "784-256-256-10 with batch norm, one DNI of one hidden layer of 256, batch 64", _BATCH_NORM_IN_M),
    ),
    (
        "single_dni",
        "784-256-256-10_cdni",
        _ONE_DNI | _ONE_MODEL | {"method": "cdni"},
        50,
        Public(4.4, "the same, with the label as input of M", _BATCH_NORM_IN_M),
    ),
    (
        "single_dni",
        "784-256-256-10_bprop",
        _ONE_DNI | {"method": "bprop"},
        50,
        Public(2.6, "the same net by backpropagation", "nothing known"),
    ),
    (
        "feedforward",
        "784-256-256-10_dni_2x1024",
        {"method": "dni", "depth": 3, "batch_size": 100},
        20,
        Public(
            35,
            "784-256-10, a DNI of 2x1024 after both layers, batch 100",
            "ours has no DNI after the classifier, but a second layer of 256 with a DNI, which is more work; its "
            "hidden layers and those of M have batch norm",
        ),
    ),
    (
        "unlock",
        "4_layers_sparse",
        {"method": "dni", "unlock": "sparse", "p_update": 1.0},
        20,
        Public(
            20,
            "MNIST net of four layers, sparse updates, p = 1",
            "widths, M and batch of the public one are not known; ours are the paper's (256 units, M of 2x1024, batch "
            "256), with updates in random order",
        ),
    ),
    (
        "unlock",
        "784-256-256-10_complete",
        {"method": "dni", "unlock": "complete", "p_update": 1.0, "input_model_units": 256}
        | {"depth": 3, "batch_size": 64, "synthetic_gradient_depth": 1, "synthetic_gradient_units": 256},
        50,
        Public(
            7.9,
            "complete unlock of 784-256-256-10, batch 64",
            "ours has a DNI after both hidden layers; its models have 256 units and batch norm",
        ),
    ),
]
CELLS = [(experiment, name, fields, steps, (1,)) for experiment, name, fields, steps, _ in _CASES]
PUBLIC = {f"{experiment}/{name}/x1": known for experiment, name, _, _, known in _CASES}
