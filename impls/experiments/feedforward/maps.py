"""The sizes of a linear map or a convolution."""

from __future__ import annotations

import math
from typing import NamedTuple


class Map(NamedTuple):
    """A linear map or a convolution: the shape of its weight, outputs last, and the number of its positions."""

    shape: tuple[int, ...]
    positions: int = 1

    @property
    def inputs(self) -> int:
        """Number of terms in the sum of one output."""
        return math.prod(self.shape[:-1])

    @property
    def outputs(self) -> int:
        """Number of terms in the sum of the gradient of one input."""
        return math.prod((*self.shape[:-2], self.shape[-1]))

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one example."""
        return math.prod(self.shape) * self.positions
