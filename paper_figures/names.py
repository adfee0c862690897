"""Printed names of frameworks, data sets, models, methods and metrics. The keys are used in cells and claims.

Figures that need longer names, such as "joint backprop", define these in their modules.
"""

from __future__ import annotations

FRAMEWORKS = {"torch": "PyTorch", "jax": "JAX"}
DATASETS = {
    "mnist": "MNIST",
    "cifar10": "CIFAR-10",
    "copy": "Copy",
    "repeat_copy": "Repeat Copy",
    "ptb": "Penn Treebank",
}
MODELS = {"fcn": "fully connected", "cnn": "convolutional", "lstm": "LSTM"}
FEEDFORWARD_METHODS = {"no_bprop": "No backprop", "bprop": "Backprop", "dni": "DNI", "cdni": "cDNI"}
RECURRENT_METHODS = {"bptt": "BPTT", "dni": "DNI", "dni_aux": "DNI + Aux"}
METHODS = {**FEEDFORWARD_METHODS, **RECURRENT_METHODS, "stale": "Stale gradients"}
METRICS = {
    "test_error": "test error in percent",
    "test_error_b": "test error of network B in percent",
    "max_solved_task_length": "longest task solved in time steps",
    "test_bits_per_character": "test bits per character",
    "data_fraction_to_reach_bptt20": "share of the data",
}
