"""Feed-forward nets with synthetic gradients: the computation, independent of the framework.

Reproduces table_feedforward, fig_feedforward_curves, fig_underfitting and text_deep (paper: "Every layer DNI"). An
N-layer net has N-1 hidden layers (linear map or convolution, batch norm, ReLU, and in a convolutional net pooling) and
a linear classifier. The net is cut after every hidden layer. At a cut, a model M predicts the gradient of the
activation h_i, and this prediction replaces the gradient from above. Five other experiments are variants of this one
(`twins` in their specs). Results on the real data: results/published/*/tables/table_feedforward.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

from impls.engine.initial_weights import DESCRIPTION, InitialWeights, draw_weight
from impls.engine.randomness import batch_indices, generator
from impls.engine.spec import CellSpec, Examples
from impls.experiments.feedforward.maps import Map
from impls.fields import DEEPEST, Count, Depth, Iterations, choice, paper

IMAGES = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3)}  # rows, columns, channels
CLASSES = 10
WINDOW = 5

# The paper's sizes by data set and model; "dni" and "cdni": hidden layers of M.
SIZES = {
    ("mnist", "fcn"): {"hidden_units": 256, "synthetic_gradient_units": 1024, "dni": 2, "cdni": 0},
    ("cifar10", "fcn"): {"hidden_units": 1000, "synthetic_gradient_units": 4000, "dni": 1, "cdni": 1},
    ("mnist", "cnn"): {"hidden_units": 64, "synthetic_gradient_units": 64, "dni": 2, "cdni": 0},
    ("cifar10", "cnn"): {"hidden_units": 128, "synthetic_gradient_units": 128, "dni": 2, "cdni": 0},
}


class Spec(CellSpec):
    """One cell of the feed-forward experiment; the defaults are the paper's MNIST experiment."""

    cell_fields: ClassVar[tuple[str, ...]] = ("dataset", "model", "depth", "method")

    dataset: Literal["mnist", "cifar10"] = Field("mnist", description="data set")
    model: Literal["fcn", "cnn"] = Field("fcn", description="fcn: fully connected; cnn: 5x5 convolutions and pooling")
    depth: int = Field(
        4, description="layers, including the classifier: depth 4 has 3 hidden layers and 3 DNIs", ge=2, le=DEEPEST
    )
    method: Literal["no_bprop", "bprop", "dni", "cdni", "stale"] = Field(
        "dni",
        description="gradient at the cuts. no_bprop: zero; bprop: no cuts, backpropagation from end to end; "
        "dni: synthetic gradients; cdni: synthetic gradients conditioned on the label; "
        "stale: an average of the true gradients of past iterations",
    )

    cut_after: Depth = paper(0, "the hidden layer after which the net is cut; 0: a cut after every hidden layer")
    bp_lambda: float = paper(
        0.0,
        "BP(lambda): share of the gradient from above in the gradient at a cut of dni or cdni; 1 is backpropagation",
        ge=0,
        le=1,
    )
    stale_decay: float = choice(0.99, "stale: decay per iteration of the average of true gradients", ge=0, lt=1)
    hidden_units: Count | None = paper(
        None, "units (fcn) or filters (cnn) of each hidden layer; not given: mnist 256 or 64, cifar10 1000 or 128"
    )
    synthetic_gradient_depth: Depth | None = paper(
        None,
        "hidden layers of each synthetic-gradient model M; not given: 1 for the fcn on cifar10, otherwise 2 for dni "
        "and 0 (one linear map) for cdni",
    )
    synthetic_gradient_units: Count | None = paper(
        None,
        "units or filters of each hidden layer of M; not given: fcn 1024 (mnist) or 4000 (cifar10), cnn as in the net",
    )
    batch_size: Count = paper(256, "examples per iteration")
    learning_rate: PositiveFloat = paper(3e-5, "Adam's step size before the first drop")
    learning_rate_drops: tuple[Iterations, ...] = paper(
        (300_000, 400_000), "iterations at which the learning rate is divided by 10"
    )
    initial_weights: InitialWeights = choice("lecun_normal", DESCRIPTION, older="lecun_normal")
    adam_decays: tuple[float, float] = choice((0.9, 0.999), "Adam's decays of the mean and of the square")
    adam_epsilon: PositiveFloat = choice(1e-8, "added outside the root in Adam")
    batch_norm_epsilon: PositiveFloat = choice(1e-5, "added to the variance")
    batch_norm_momentum: float = choice(0.9, "decay of the running statistics that evaluation uses", ge=0, lt=1)
    train_error_examples: Count = choice(
        10_000, "number of training examples, the first ones, that give the training error"
    )
    validation_examples: NonNegativeInt = paper(
        0, "number of training examples, the last ones, held out for a validation error"
    )
    target_scale: Literal["example", "batch_mean"] = choice(
        "example",
        "the loss whose gradient M learns: one example's, or divided by the batch size (small targets: slow with Adam)",
    )

    @model_validator(mode="after")
    def _fields_fit_together(self) -> Self:
        if list(self.learning_rate_drops) != sorted(set(self.learning_rate_drops)):
            raise ValueError("learning_rate_drops must ascend")
        if self.cut_after >= self.depth:
            raise ValueError(f"cut_after must be below depth: a net of depth {self.depth} has {self.depth - 1} to cut")
        if self.method == "bprop" and self.cut_after:
            raise ValueError("bprop has no cut: leave cut_after at 0")
        if self.bp_lambda and not self.has_synthetic_gradients:
            raise ValueError(f"bp_lambda needs synthetic gradients, and {self.method} has none")
        return self

    @classmethod
    def ladder(cls) -> list[Self]:
        return [
            *(cls.tiny(method=method) for method in ("no_bprop", "bprop", "dni", "cdni", "stale")),
            cls.tiny(method="bprop", depth=2, learning_rate_drops=(5, 9), learning_rate=1e-2),
            cls.tiny(method="cdni", depth=3, synthetic_gradient_depth=1, target_scale="batch_mean"),
            cls.tiny(method="dni", dataset="cifar10", depth=2, initial_weights="torch_uniform"),
            cls.tiny(method="dni", model="cnn", depth=3, synthetic_gradient_depth=1),
            cls.tiny(method="cdni", model="cnn", dataset="cifar10", depth=2, initial_weights="glorot_uniform"),
            cls.tiny(method="bprop", model="cnn", depth=3),
        ]

    @classmethod
    def tiny(cls, **fields: Any) -> Self:
        """A tiny cell of 20 iterations, for the parity ladder."""
        # A larger epsilon, so that Adam does not turn rounding errors of zero gradients into full steps.
        sizes = {"hidden_units": 7, "synthetic_gradient_units": 5, "batch_size": 8}
        if fields.get("model") == "cnn":
            sizes = {"hidden_units": 3, "synthetic_gradient_units": 2, "batch_size": 4}
        return cls(**({"depth": 4, "adam_epsilon": 1e-6, "learning_rate": 3e-3} | sizes | fields))

    def default(self, name: str) -> Any:
        """Sizes depend on data set and model; the depth of M also depends on the method."""
        sizes = SIZES[self.dataset, self.model]
        if name == "synthetic_gradient_depth":
            return sizes.get(self.method, 0)
        return sizes[name] if name in sizes else super().default(name)

    @cached_property
    def has_synthetic_gradients(self) -> bool:
        """Whether the method trains models of the gradient."""
        return self.method in ("dni", "cdni")

    @cached_property
    def cuts(self) -> tuple[int, ...]:
        """Hidden layers with a cut above them."""
        if self.method == "bprop":
            return ()
        return (self.cut_after,) if self.cut_after else tuple(range(1, self.depth))

    @cached_property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example in the net: [D] (fcn) or [Y, X, C] (cnn)."""
        image = IMAGES[self.dataset]
        return image if self.model == "cnn" else (math.prod(image),)

    def activation_shape(self, layer: int) -> tuple[int, ...]:
        """Shape of one example's h_layer after pooling: [H] or [Y, X, H]; layer 0 is the input."""
        if layer == 0:
            return self.input_shape
        units = self.resolved("hidden_units")
        if self.model == "fcn":
            return (units,)
        rows, columns, _ = self.activation_shape(layer - 1)
        return (-(-rows // 2), -(-columns // 2), units)  # pooling at stride 2

    def pooling(self, layer: int) -> Literal["max", "average"] | None:
        """The pooling after the ReLU of a hidden layer."""
        if self.model == "fcn":
            return None
        return "max" if layer == 1 else "average"

    @cached_property
    def gradient_scale(self) -> int:
        """Factor of the mean loss in the gradients between layers: see `target_scale`."""
        return self.batch_size if self.target_scale == "example" else 1

    @cached_property
    def layer_maps(self) -> list[Map]:
        """Maps of the hidden layers, from the lowest, and then of the classifier."""
        units = self.resolved("hidden_units")
        hidden = [self._map(self.activation_shape(i - 1), 0, units) for i in range(1, self.depth)]
        return [*hidden, Map((math.prod(self.activation_shape(self.depth - 1)), CLASSES))]

    def synthetic_gradient_maps(self, layer: int) -> list[Map]:
        """Maps of the model M of a layer's gradient: its hidden layers, then the map to the gradient."""
        *place, units = self.activation_shape(layer)
        widths = [
            units,
            *[self.resolved("synthetic_gradient_units")] * self.resolved("synthetic_gradient_depth"),
            units,
        ]
        labels = [CLASSES if self.method == "cdni" else 0, *[0] * (len(widths) - 2)]
        return [
            self._map((*place, inputs), extra, outputs)
            for inputs, extra, outputs in zip(widths, labels, widths[1:], strict=False)
        ]

    @cached_property
    def weight_shapes(self) -> list[tuple[int, ...]]:
        models = self.cuts if self.has_synthetic_gradients else ()
        maps = [*self.layer_maps, *(linear for i in models for linear in self.synthetic_gradient_maps(i))]
        return [linear.shape for linear in maps]

    def _map(self, shape: tuple[int, ...], extra_inputs: int, outputs: int) -> Map:
        """The map from activations of `shape` with `extra_inputs` more channels to `outputs` channels."""
        *place, inputs = shape
        window = [WINDOW] * len(place)
        return Map((*window, inputs + extra_inputs, outputs), math.prod(place))

    def splits(self, splits: Mapping[str, Examples]) -> dict[str, Examples]:
        """With `validation_examples`, a third split "valid": the last training examples, which are not trained on.

        Raises:
            ValueError: no example would be left for training.
        """
        found = dict(splits)
        if self.validation_examples:
            inputs, labels = found["train"]
            kept = len(labels) - self.validation_examples
            if kept < 1:
                raise ValueError(f"validation_examples must be below {len(labels)}, the number of training examples")
            found |= {"train": (inputs[:kept], labels[:kept]), "valid": (inputs[kept:], labels[kept:])}
        return found

    def evaluation_examples(self) -> dict[str, int | None]:
        held_out = {"valid": None} if self.validation_examples else {}
        return {"test": None, **held_out, "train": self.train_error_examples}

    @property
    def evaluation_batch(self) -> int:
        return 1000 if self.model == "fcn" else 250

    @property
    def measures_batch(self) -> bool:
        """True with a single cut: the twins then compare the synthetic with the true gradient."""
        return self.has_synthetic_gradients and self.cut_after > 0

    def initial_parameters(self, seed: int) -> dict[str, np.ndarray]:
        """Weights are drawn by `initial_weights`; the last map of every M is zero, so its first gradients are zero.

        Biases are zero. There is no bias before batch norm, whose shift has this role. They are drawn in this order:
        the net from its lowest layer, then each M.
        """
        rng = generator(seed, "init")
        parameters: dict[str, np.ndarray] = {}

        def hidden(name: str, linear: Map) -> None:
            parameters[f"{name}.weight"] = self.initial_weight(rng, linear)
            parameters[f"{name}.scale"] = np.ones(linear.shape[-1])
            parameters[f"{name}.shift"] = np.zeros(linear.shape[-1])

        *hidden_maps, classifier = self.layer_maps
        for i, linear in enumerate(hidden_maps, start=1):
            hidden(f"layer{i}", linear)
        parameters["classifier.weight"] = self.initial_weight(rng, classifier)
        parameters["classifier.bias"] = np.zeros(CLASSES)
        if self.has_synthetic_gradients:
            for i in self.cuts:
                *model_maps, output = self.synthetic_gradient_maps(i)
                for j, linear in enumerate(model_maps, start=1):
                    hidden(f"synthetic_gradient{i}.layer{j}", linear)
                parameters[f"synthetic_gradient{i}.output.weight"] = np.zeros(output.shape)
                parameters[f"synthetic_gradient{i}.output.bias"] = np.zeros(output.shape[-1])
        return parameters

    def initial_weight(self, rng: np.random.Generator, linear: Map) -> np.ndarray:
        """The weight of a map before training, float64."""
        return draw_weight(rng, linear.shape, linear.inputs, linear.outputs, self.initial_weights)

    def step_inputs(self, seeds: list[int], examples: int, first: int, last: int) -> dict[str, np.ndarray]:
        """`indices` int32 [K, R, B] of training examples and `learning_rate` float64 [K], for K = last - first."""
        indices = [batch_indices(seed, examples, self.batch_size, first, last) for seed in seeds]
        drops = np.searchsorted(self.learning_rate_drops, np.arange(first, last), side="right")
        return {"indices": np.stack(indices, axis=1), "learning_rate": self.learning_rate * 0.1**drops}

    def operations_per_step(self) -> float:
        """Matrix products and convolutions that the method needs, 2 operations per multiply-add."""
        layers = [linear.multiply_adds for linear in self.layer_maps]
        # no_bprop trains nothing below the cuts; the other methods train every layer.
        trained = layers[max(self.cuts) :] if self.method == "no_bprop" else layers
        # Forward; gradients of the weights; gradients of the inputs, except for the lowest trained layer.
        multiply_adds = sum(layers) + sum(trained) + sum(trained[1:])
        for i in self.cuts if self.has_synthetic_gradients else ():
            model = [linear.multiply_adds for linear in self.synthetic_gradient_maps(i)]
            multiply_adds += 2 * sum(model) + sum(model[1:])
        return 2.0 * self.batch_size * multiply_adds
