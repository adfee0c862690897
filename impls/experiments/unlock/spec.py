"""Layers that are updated at random times in random order; with input models no layer waits for another.

Reproduces fig_sparse_updates (paper: "Sparse updates") and fig_complete_unlock (paper: "Complete unlock"): the 4-layer
MNIST net with a DNI after every hidden layer. In each iteration, every layer is visited with probability p_update, in
random order. Each replica has its own p_update. In the complete unlock, every layer except the first also has a model I
of its input, which predicts it from the pixels.

Shape legend of the experiment: R replicas, N layers, including the classifier; layers count from 1, arrays from 0.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from impls.engine.randomness import generator, uniform_per_iteration
from impls.experiments.feedforward import spec as feedforward
from impls.experiments.feedforward.maps import Map
from impls.fields import Count, choice, paper

GOLDEN_RATIO = (5**0.5 - 1) / 2


class Spec(feedforward.Spec):
    """One cell: the net of the feed-forward experiment, its layers updated at random."""

    cell_fields: ClassVar[tuple[str, ...]] = (*feedforward.Spec.cell_fields, "unlock")

    model: Literal["fcn"] = Field("fcn", description="fully connected")
    method: Literal["dni", "cdni"] = Field("dni", description="synthetic gradients; cdni: conditioned on the label")
    unlock: Literal["sparse", "complete"] = Field(
        "sparse",
        description="sparse: layers wait for their real input; complete: they use the input that a model predicts",
    )
    p_update: float | None = paper(
        None, "probability that a layer is visited; not given: one for each replica, spread over [0, 1]", ge=0, le=1
    )
    order: Literal["random", "from_below"] = paper("random", "order in which layers are visited")
    unvisited: Literal["frozen", "zero_gradient"] = choice(
        "zero_gradient",
        "Adam of what a missed visit would have updated (the layer, and the M and I that learn with it). frozen: its "
        "parameters, moments and count of updates stay; zero_gradient: it is updated with a gradient of zero",
        older="frozen",
    )
    running_statistics: Literal["visits", "iterations"] = choice(
        "visits",
        "when a layer's running statistics, which evaluation uses, follow the batch: at its visits, or always",
        older="visits",
    )
    statistics_inputs: Literal["predicted", "real"] = choice(
        "predicted",
        "complete: whose statistics these are: those of a layer that reads its predicted input, as in training, or its "
        "real input, as in evaluation",
        older="predicted",
    )
    input_model_units: Count = choice(1024, "units of the hidden layer of each input model I")

    @model_validator(mode="after")
    def _only_what_is_unlocked(self) -> Self:
        if self.cut_after or self.bp_lambda:
            raise ValueError("unlocking needs a DNI after every hidden layer: leave cut_after and bp_lambda at 0")
        if self.unlock == "sparse" and self.statistics_inputs == "real":
            raise ValueError("statistics_inputs needs unlock complete: with sparse every layer reads its real input")
        return self

    @classmethod
    def ladder(cls) -> list[Self]:
        tiny = {"input_model_units": 6}
        return [
            cls.tiny(method="dni", unlock="sparse", **tiny),
            cls.tiny(method="cdni", unlock="complete", **tiny),
            cls.tiny(
                method="cdni", unlock="sparse", depth=3, p_update=0.5, order="from_below", unvisited="frozen", **tiny
            ),
            cls.tiny(method="dni", unlock="sparse", running_statistics="iterations", **tiny),
            cls.tiny(method="cdni", unlock="complete", unvisited="frozen", statistics_inputs="real", **tiny),
        ]

    def default(self, name: str) -> Any:
        """In the complete unlock every M has one hidden layer."""
        if name == "synthetic_gradient_depth" and self.unlock == "complete":
            return 1
        return super().default(name)

    @cached_property
    def input_model_maps(self) -> list[Map]:
        """Maps of each I: from the pixels to its hidden layer, and then to the input of its layer."""
        units = [*self.input_shape, self.input_model_units, *self.activation_shape(1)]
        return [Map((inputs, outputs)) for inputs, outputs in pairwise(units)]

    @cached_property
    def weight_shapes(self) -> list[tuple[int, ...]]:
        models = self.depth - 1 if self.unlock == "complete" else 0
        return [*super().weight_shapes, *models * [linear.shape for linear in self.input_model_maps]]

    def replica_settings(self, seeds: list[int]) -> dict[str, list[float]]:
        """`p_update`: multiples of the golden ratio, which are evenly spread over [0, 1] for any number of replicas."""
        if self.p_update is not None:
            return {"p_update": [self.p_update] * len(seeds)}
        return {"p_update": [(seed + 0.5) * GOLDEN_RATIO % 1 for seed in seeds]}

    def initial_parameters(self, seed: int) -> dict[str, np.ndarray]:
        """As in the feed-forward net. Each I is drawn like a separate net, and its output has a bias."""
        parameters = super().initial_parameters(seed)
        if self.unlock == "complete":
            rng = generator(seed, "init of input models")
            hidden, output = self.input_model_maps
            for i in range(2, self.depth + 1):
                name = f"input{i}"
                parameters[f"{name}.layer1.weight"] = self.initial_weight(rng, hidden)
                parameters[f"{name}.layer1.scale"] = np.ones(hidden.shape[-1])
                parameters[f"{name}.layer1.shift"] = np.zeros(hidden.shape[-1])
                parameters[f"{name}.output.weight"] = self.initial_weight(rng, output)
                parameters[f"{name}.output.bias"] = np.zeros(output.shape[-1])
        return parameters

    def step_inputs(self, seeds: list[int], examples: int, first: int, last: int) -> dict[str, np.ndarray]:
        """The examples, the learning rate, the visited layers, and those visited after their successor.

        `visited` bool [K, R, N]; `after_successor` bool [K, R, N]: layer i is visited later than layer i + 1 (always
        false for the classifier, which has no successor).
        """
        inputs = super().step_inputs(seeds, examples, first, last)
        visited, after_successor = [], []
        for seed, p_update in zip(seeds, self.replica_settings(seeds)["p_update"], strict=True):
            visited.append(uniform_per_iteration(seed, "visits", self.depth, first, last) < p_update)
            time_KN = uniform_per_iteration(seed, "times of visits", self.depth, first, last)
            later_KN = np.zeros(time_KN.shape, bool)
            if self.order == "random":
                later_KN[:, :-1] = time_KN[:, :-1] > time_KN[:, 1:]
            after_successor.append(later_KN)
        return inputs | {"visited": np.stack(visited, 1), "after_successor": np.stack(after_successor, 1)}

    def operations_per_step(self) -> float:
        """Operations of an iteration that visits every layer: layers that are not visited are computed, too."""
        operations = super().operations_per_step()
        # A model whose layer may use it after it has learnt runs forward twice.
        second_pass = sum(linear.multiply_adds for linear in self.synthetic_gradient_maps(1))
        multiply_adds = (self.depth - 1) * second_pass
        if self.unlock == "complete":
            model = [linear.multiply_adds for linear in self.input_model_maps]
            multiply_adds += (self.depth - 1) * (2 * sum(model) + sum(model[1:]))
            if self.statistics_inputs == "real":  # the connected net runs forward, too
                multiply_adds += sum(linear.multiply_adds for linear in self.layer_maps[:-1])
        return operations + 2.0 * self.batch_size * multiply_adds
