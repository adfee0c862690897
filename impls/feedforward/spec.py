"""Feed-forward nets with a DNI between every two layers: what is computed, before any framework.

Reproduces table_feedforward and fig_feedforward_curves (paper: "Every layer DNI"). An N-layer net has N-1 hidden layers
(linear, batch norm, ReLU) and a linear classifier; every hidden layer i has a model M of the gradient of its
activation h_i. Results on the real data so far, with their records: results/published/*/tables/table_feedforward.md.

Shape legend of the experiment: R replicas, B batch, D pixels, H hidden units, C classes; `h_RBH` is [R, B, H].
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from impls.engine.randomness import batch_indices, generator
from impls.engine.spec import CellSpec, choice, paper

PIXELS = {"mnist": 28 * 28}
CLASSES = 10


class Spec(CellSpec):
    """One cell of the feed-forward experiment; the defaults are the paper's MNIST experiment."""

    cell_fields: ClassVar[tuple[str, ...]] = ("dataset", "model", "depth", "method")

    dataset: Literal["mnist"] = Field("mnist", description="data set")
    model: Literal["fcn"] = Field("fcn", description="fcn: fully connected")
    depth: int = Field(4, description="layers, the classifier included: depth 4 has 3 hidden layers and 3 DNIs", ge=2)
    method: Literal["no_bprop", "bprop", "dni", "cdni"] = Field(
        "dni",
        description="no_bprop: zero gradient across the cuts; bprop: backpropagation end to end; dni: synthetic "
        "gradients; cdni: synthetic gradients conditioned on the label",
    )

    hidden_units: PositiveInt = paper(256, "units of each hidden layer")
    synthetic_gradient_depth: NonNegativeInt | None = paper(
        None, "hidden layers of each synthetic-gradient model M; not given: 2 for dni, 0 (one linear map) for cdni"
    )
    synthetic_gradient_units: PositiveInt = paper(1024, "units of each hidden layer of M")
    batch_size: PositiveInt = paper(256, "examples per iteration")
    learning_rate: PositiveFloat = paper(3e-5, "Adam's step size before the first drop")
    learning_rate_drops: tuple[PositiveInt, ...] = paper((300_000, 400_000), "iterations at which it is divided by 10")
    adam_decays: tuple[float, float] = choice((0.9, 0.999), "Adam's decay of the mean and of the square")
    adam_epsilon: PositiveFloat = choice(1e-8, "added outside the root in Adam")
    batch_norm_epsilon: PositiveFloat = choice(1e-5, "added to the variance")
    batch_norm_momentum: float = choice(0.9, "decay of the running statistics that evaluation uses", ge=0, lt=1)
    train_error_examples: PositiveInt = choice(10_000, "how many examples, the first, give the training error")
    target_scale: Literal["example", "batch_mean"] = choice(
        "example",
        "the loss whose gradient M learns: one example's, or divided by the batch size (small targets: slow with Adam)",
    )

    @classmethod
    def ladder(cls) -> list[Spec]:
        """The smallest cells that show every method; the parity ladder runs each of them."""
        # Adam's epsilon is raised so that it does not blow gradients that are zero but for rounding up to full steps.
        tiny = {
            "adam_epsilon": 1e-6,
            "hidden_units": 7,
            "synthetic_gradient_units": 5,
            "batch_size": 8,
            "learning_rate": 3e-3,
        }
        cells = [cls(method=method, depth=4, **tiny) for method in ("no_bprop", "bprop", "dni", "cdni")]
        return [
            *cells,
            cls(method="bprop", depth=2, learning_rate_drops=(5, 9), **(tiny | {"learning_rate": 1e-2})),
            cls(method="dni", depth=2, synthetic_gradient_depth=1, **tiny),
            cls(method="cdni", depth=3, synthetic_gradient_depth=1, target_scale="batch_mean", **tiny),
        ]

    def default(self, name: str) -> Any:
        """The depth of M hangs on the method: 2 hidden layers for dni, one linear map for cdni."""
        return {"dni": 2}.get(self.method, 0) if name == "synthetic_gradient_depth" else super().default(name)

    @cached_property
    def layer_sizes(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each layer of the net, the classifier last."""
        units = [PIXELS[self.dataset], *[self.hidden_units] * (self.depth - 1), CLASSES]
        return list(pairwise(units))

    @cached_property
    def has_synthetic_gradients(self) -> bool:
        """Whether the method trains models of the gradient."""
        return self.method in ("dni", "cdni")

    @cached_property
    def synthetic_gradient_sizes(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each linear map of one M: its hidden layers and the map to the gradient."""
        depth = self.synthetic_gradient_depth
        if depth is None:
            depth = self.default("synthetic_gradient_depth")
        inputs = self.hidden_units + (CLASSES if self.method == "cdni" else 0)
        units = [inputs, *[self.synthetic_gradient_units] * depth, self.hidden_units]
        return list(pairwise(units))

    def evaluation_examples(self) -> dict[str, int | None]:
        return {"test": None, "train": self.train_error_examples}

    def initial_parameters(self, seed: int) -> dict[str, np.ndarray]:
        """Weights normal with variance 1/inputs; the last map of every M zero, so its first gradients are zero.

        No bias where batch norm follows: its shift is one. Order of drawing: the net from below, then each M.
        """
        rng = generator(seed, "init")
        parameters: dict[str, np.ndarray] = {}

        def hidden(name: str, inputs: int, outputs: int) -> None:
            parameters[f"{name}.weight"] = rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)
            parameters[f"{name}.scale"] = np.ones(outputs)
            parameters[f"{name}.shift"] = np.zeros(outputs)

        *hidden_sizes, (inputs, classes) = self.layer_sizes
        for i, size in enumerate(hidden_sizes, start=1):
            hidden(f"layer{i}", *size)
        parameters["classifier.weight"] = rng.standard_normal((inputs, classes)) / np.sqrt(inputs)
        parameters["classifier.bias"] = np.zeros(classes)
        if self.has_synthetic_gradients:
            for i in range(1, self.depth):
                *model_sizes, output_size = self.synthetic_gradient_sizes
                for j, size in enumerate(model_sizes, start=1):
                    hidden(f"synthetic_gradient{i}.layer{j}", *size)
                parameters[f"synthetic_gradient{i}.output.weight"] = np.zeros(output_size)
                parameters[f"synthetic_gradient{i}.output.bias"] = np.zeros(output_size[1])
        return parameters

    def step_inputs(self, seeds: list[int], examples: int, first: int, last: int) -> dict[str, np.ndarray]:
        """`indices` int32 [K, R, B] of training examples and `learning_rate` float64 [K], for K = last - first."""
        indices = [batch_indices(seed, examples, self.batch_size, first, last) for seed in seeds]
        drops = np.searchsorted(self.learning_rate_drops, np.arange(first, last), side="right")
        return {"indices": np.stack(indices, axis=1), "learning_rate": self.learning_rate * 0.1**drops}

    def operations_per_step(self) -> float:
        """Matrix products only, 2 operations per multiply-add; what the method needs and no more."""
        layers = [inputs * outputs for inputs, outputs in self.layer_sizes]
        if self.method == "no_bprop":
            return 2.0 * self.batch_size * (sum(layers) + layers[-1])
        # Forward and weight gradients of every layer; the gradient of every layer's input but the image.
        multiply_adds = 2 * sum(layers) + sum(layers[1:])
        if self.has_synthetic_gradients:
            model = [inputs * outputs for inputs, outputs in self.synthetic_gradient_sizes]
            multiply_adds += (self.depth - 1) * (2 * sum(model) + sum(model[1:]))
        return 2.0 * self.batch_size * multiply_adds
