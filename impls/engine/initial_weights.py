"""The distributions from which the weights of linear maps and convolutions are drawn before training."""

from __future__ import annotations

from typing import Literal

import numpy as np

InitialWeights = Literal["lecun_normal", "torch_uniform", "glorot_uniform"]
DESCRIPTION = (
    "distribution of the weights before training. lecun_normal: normal, variance 1/inputs; "
    "torch_uniform: uniform, variance 1/(3 inputs), the default of PyTorch and of Torch 7; "
    "glorot_uniform: uniform, variance 2/(inputs + outputs)"
)


def draw_weight(
    rng: np.random.Generator, shape: tuple[int, ...], inputs: int, outputs: int, distribution: InitialWeights
) -> np.ndarray:
    """The weight of one map, float64 `shape`.

    Args:
        inputs: number of terms in the sum of one output (fan-in).
        outputs: number of terms in the sum of one input's gradient (fan-out); only glorot_uniform uses it (Glorot &
            Bengio 2010, equation 16).

    >>> weight = draw_weight(np.random.default_rng(0), (100, 50), 100, 50, "torch_uniform")
    >>> bool((abs(weight) <= 0.1).all()), round(300 * weight.var(), 1)
    (True, 1.0)
    """
    if distribution == "lecun_normal":
        return rng.standard_normal(shape) / np.sqrt(inputs)
    bound = np.sqrt(1 / inputs if distribution == "torch_uniform" else 6 / (inputs + outputs))
    return rng.uniform(-bound, bound, shape)
