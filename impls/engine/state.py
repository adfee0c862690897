"""A run's state in two forms: nested dicts, used by a step, and a flat dict of NumPy arrays, used by a checkpoint."""

from __future__ import annotations

from typing import Any

import numpy as np

Leaves = dict[str, np.ndarray]  # by path, such as "parameters.layer1.weight"
EVALUATED = ("parameters", "statistics")  # the parts of a state that an evaluation needs
Tree = dict[str, Any]  # arrays by name, in nested dicts: a module's arrays and its modules


def flatten(tree: Any, path: str = "") -> dict[str, Any]:
    """The arrays of a tree by their path, in which a dot separates the names.

    >>> flatten({"layer1": {"weight": 1, "bias": 2}, "count": 3})
    {'layer1.weight': 1, 'layer1.bias': 2, 'count': 3}
    """
    if not isinstance(tree, dict):
        return {path: tree}
    return {
        name: leaf
        for key, value in tree.items()
        for name, leaf in flatten(value, f"{path}.{key}" if path else key).items()
    }


def unflatten(leaves: dict[str, Any]) -> Tree:
    """The inverse of `flatten`.

    >>> unflatten({"layer1.weight": 1, "layer1.bias": 2, "count": 3})
    {'layer1': {'weight': 1, 'bias': 2}, 'count': 3}
    """
    tree: Tree = {}
    for path, leaf in leaves.items():
        *parents, name = path.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = leaf
    return tree


def unlike(found: Leaves, wanted: Leaves) -> str | None:
    """The first array of `found` that `wanted` has not, lacks, or has in another shape or type, in words; or None.

    >>> unlike({"a": np.zeros(2)}, {"a": np.zeros(3)})
    'a is float64 [2] instead of float64 [3]'
    """
    for name in sorted(found.keys() | wanted.keys()):
        if name not in wanted or name not in found:
            return f"{name} is {'missing' if name in wanted else 'unknown'}"
        one, other = (f"{leaves[name].dtype} {list(leaves[name].shape)}" for leaves in (found, wanted))
        if one != other:
            return f"{name} is {one} instead of {other}"
    return None


def stack_replicas(replicas: list[Leaves]) -> Leaves:
    """Per-replica arrays by path -> arrays with a leading replica axis.

    >>> stack_replicas([{"layer1.weight": np.ones(3)}, {"layer1.weight": np.zeros(3)}])["layer1.weight"].shape
    (2, 3)
    """
    return {name: np.stack([replica[name] for replica in replicas]) for name in replicas[0]}


def iterations_in(inputs: Leaves) -> int:
    """The number of iterations in a block of step inputs: the length of each array's first axis."""
    return len(next(iter(inputs.values())))
