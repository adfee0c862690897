"""A small list of what a campaign trains."""

CELLS = {"dataset": ["mnist"], "model": ["fcn"], "depth": [3, 4], "method": ["bprop"]}
SMALL = {"hidden_units": 8, "batch_size": 8, "iterations": 100, "evaluate_every": 50}
VALID = {
    "preset": "tiny",
    "data": "embedded",
    "device": "cpu",
    "frameworks": ["torch", "jax"],
    "replicas": 2,
    "stages": [
        {"title": "first", "feedforward": [{"cells": CELLS, "settings": SMALL}]},
        {"title": "more", "replicas": 3, "feedforward": [{"cells": CELLS, "settings": SMALL}]},
    ],
}
