"""Speed of the recurrent experiment at the paper's sizes. Run by `make benchmark`, on an idle machine."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.training import time_training
from impls.recurrent.spec import SYMBOLS, Spec

SYMBOLS_OF_TEXT = 100_000


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("method", ["bptt", "dni", "dni_aux"])
def test_copy(benchmark, framework, method, replicas):
    """LSTM of 256, batch 256, T = 3."""
    time_training(benchmark, framework, "recurrent", Spec(dataset="copy", method=method), replicas, {})


@pytest.mark.parametrize("method", ["bptt", "dni"])
def test_text(benchmark, framework, method):
    """LSTM of 1024, batch 256, T = 5."""
    symbols = np.random.default_rng(0).integers(0, SYMBOLS, SYMBOLS_OF_TEXT + 1).astype(np.uint8)
    spec = Spec(dataset="ptb", method=method, truncation_length=5)
    time_training(benchmark, framework, "recurrent", spec, 1, {"train": (symbols[:-1], symbols[1:])}, steps=4)
