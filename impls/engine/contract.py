"""The interfaces of experiments and engines: the twin, which is a module, and the Runner, which runs it fast.

Arrays are those of the twin's framework, with a leading replica axis R. A *tree* is a nested dict of arrays.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np

from impls.engine.state import Leaves, Tree

Execution = Literal["plain", "captured", "compiled"]


class Twin(Protocol):
    """`torch_impl.py` or `jax_impl.py` of an experiment: pure functions of a spec, a state and the data.

    Each function takes the experiment's own `Spec`. `data` is the training set, `inputs` uint8 [n, ...] and `labels`
    [n]; it is empty for a task that is drawn from the seeds. The argument `inputs` has the arrays of the spec's
    `step_inputs` for one iteration, without their first axis.
    """

    @staticmethod
    def init(spec: Any, parameters: Tree) -> Tree:
        """The state before training: `parameters`, `statistics` if any, and the parts that only training needs."""

    @staticmethod
    def step(spec: Any, state: Tree, data: dict[str, Any], inputs: dict[str, Any]) -> Tree:
        """One training iteration of all replicas. PyTorch's step works in place, so that it can be captured."""

    @staticmethod
    def evaluate(spec: Any, state: Tree, inputs: Any, labels: Any) -> dict[str, Any]:
        """Sums over the given examples by metric, [R] each."""

    @staticmethod
    def observe(spec: Any, state: Tree, data: dict[str, Any], inputs: dict[str, Any]) -> Tree:
        """Activations and, under `gradient`, every gradient of one iteration, for the parity ladder."""


class MeasuringTwin(Twin, Protocol):
    """A twin whose spec sets `measures_batch`."""

    @staticmethod
    def measure(spec: Any, state: Tree, data: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
        """Metrics of one training batch that is not trained on, [R] each."""


class Runner(Protocol):
    """Holds the state of one run on a device and advances it: `torch_engine.Runner` and `jax_engine.Runner`.

    Attributes:
        compile_seconds: seconds spent on compiling so far.
        execution: how steps are run. plain: one operation after the other; captured: as a recorded list of operations;
            compiled: by the framework's compiler. They differ in rounding. It is final after the first `advance`.
    """

    compile_seconds: float
    execution: Execution

    def advance(self, inputs: Leaves) -> None:
        """Run one iteration per entry of the leading axis of `inputs`. On a GPU it may go on after the return."""

    def wait(self) -> None:
        """Wait until all launches have ended."""

    def evaluate(self, split: str, examples: int | None) -> dict[str, np.ndarray]:
        """Means over the first `examples` of a split (None: all), by metric: float64 [R]."""

    def measure(self, inputs: Leaves) -> dict[str, np.ndarray]:
        """The metrics of the twin's `measure` for one iteration with the given `inputs` [1, ...]: float64 [R] each."""

    def leaves(self) -> Leaves:
        """The whole state as NumPy arrays, by path."""

    def load(self, leaves: Leaves) -> None:
        """Take over a state that `leaves` gave."""

    def peak_memory_bytes(self) -> int | None:
        """Peak device memory so far. None on the CPU, where the peak memory of the process is used instead."""
