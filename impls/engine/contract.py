"""What an experiment and an engine must have: the twin, which is a module, and the Runner, which runs it fast.

Arrays are those of the twin's framework, with a leading replica axis R. A *tree* is a nested dict of arrays.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from impls.engine.state import Leaves, Tree


class Twin(Protocol):
    """`torch_impl.py` or `jax_impl.py` of an experiment: pure functions of a spec, a state and the data.

    Each takes the experiment's own `Spec`. `data` is the training set, `inputs` uint8 [n, ...] and `labels` [n], or
    empty for a task that is drawn from the seeds. `inputs` is what one iteration consumes: the arrays of the spec's
    `step_inputs`, without their first axis.
    """

    @staticmethod
    def init(spec: Any, parameters: Tree) -> Tree:
        """The state before training: `parameters`, `statistics` if there are any, and what training alone needs."""

    @staticmethod
    def step(spec: Any, state: Tree, data: dict[str, Any], inputs: dict[str, Any]) -> Tree:
        """One training iteration of all replicas; PyTorch's works in place, so that it can be captured."""

    @staticmethod
    def evaluate(spec: Any, state: Tree, inputs: Any, labels: Any) -> dict[str, Any]:
        """Sums over the given examples by metric, [R] each."""

    @staticmethod
    def observe(spec: Any, state: Tree, data: dict[str, Any], inputs: dict[str, Any]) -> Tree:
        """Activations, and under `gradient` every gradient, of one iteration: what the parity ladder compares."""


class MeasuringTwin(Twin, Protocol):
    """A twin whose spec says `measures_batch`."""

    @staticmethod
    def measure(spec: Any, state: Tree, data: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
        """Metrics of one training batch that is not trained on, [R] each."""


class Runner(Protocol):
    """Holds the state of one run on a device and advances it: `torch_engine.Runner` and `jax_engine.Runner`.

    Attributes:
        compile_seconds: how long compiling has taken so far.
    """

    compile_seconds: float

    def advance(self, inputs: Leaves) -> None:
        """Run one iteration per entry of the leading axis of `inputs`; returns when the device is done."""

    def evaluate(self, split: str, examples: int | None) -> dict[str, np.ndarray]:
        """Means over the first `examples` of a split (None: all), by metric: float64 [R]."""

    def measure(self, inputs: Leaves) -> dict[str, np.ndarray]:
        """What the twin's `measure` finds on the one iteration that `inputs` [1, ...] describes: float64 [R]."""

    def leaves(self) -> Leaves:
        """The whole state as NumPy arrays, by path."""

    def load(self, leaves: Leaves) -> None:
        """Take over a state that `leaves` gave."""

    def peak_memory_bytes(self) -> int | None:
        """The most device memory in use so far, or None on the CPU, where the process's own peak says it."""
