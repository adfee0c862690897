"""A run's state as nested dicts, as the step sees it, and as a flat dict of NumPy arrays, as a checkpoint stores it."""

from __future__ import annotations

from typing import Any

import numpy as np

Leaves = dict[str, np.ndarray]


def flatten(tree: Any, path: str = "") -> dict[str, Any]:
    """{"parameters": {"layer1.weight": a}} -> {"parameters/layer1.weight": a}."""
    if not isinstance(tree, dict):
        return {path: tree}
    return {
        name: leaf
        for key, value in tree.items()
        for name, leaf in flatten(value, f"{path}/{key}" if path else key).items()
    }


def unflatten(leaves: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `flatten`."""
    tree: dict[str, Any] = {}
    for path, leaf in leaves.items():
        *parents, name = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = leaf
    return tree


def stack_replicas(replicas: list[Leaves]) -> Leaves:
    """Per-replica arrays by name -> arrays with a leading replica axis."""
    return {name: np.stack([replica[name] for replica in replicas]) for name in replicas[0]}
