"""Two networks that tick at two rates, joined by a synthetic gradient: the computation, for any framework.

Reproduces fig_two_network (paper: "Multi-network system"). Network A reads one digit per time step. Every T time steps
it reports how many of the last T digits were odd, and sends a message to network B. Every T messages, B reports how
many of the last T^2 digits were threes. With backpropagation through both networks, A is updated once in T^2 time
steps, because the gradient of its messages is not known earlier. With a model M of this gradient, A is updated every T
time steps.

For every method an iteration is one block of T^2 digits, so an iteration has the same data and the same updates of B.
Digits are drawn from the seed, with replacement: training streams from the training set, test streams from the test
set.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, PositiveFloat

from impls.engine.initial_weights import DESCRIPTION, InitialWeights, draw_weight
from impls.engine.randomness import generator, integers_per_iteration
from impls.engine.spec import CellSpec, Examples
from impls.fields import Count, Depth, Iterations, choice, paper

PIXELS = 28 * 28
LAYERS = 2  # layers of A below its lstm
THREE = 3  # the digit that B counts
TEST_SEED = 0  # seed of the test streams, which are the same for every replica


class Spec(CellSpec):
    """One cell of the experiment with two networks; the defaults are the paper's."""

    cell_fields: ClassVar[tuple[str, ...]] = ("dataset", "model", "method", "period")
    headline: ClassVar[tuple[str, str, str]] = ("test", "error_b", "%")

    dataset: Literal["mnist"] = Field("mnist", description="source of the digits")
    model: Literal["lstm"] = Field("lstm", description="recurrent core of both networks")
    method: Literal["bprop", "dni", "no_bprop"] = Field(
        "dni",
        description="gradient of A's messages. bprop: B's gradient, so A is updated every T^2 digits; "
        "dni: M's synthetic gradient, at once, so A is updated every T digits; "
        "no_bprop: zero, A is updated every T digits",
    )
    period: int = Field(4, description="T: digits between two reports of A, and between two ticks of B", ge=2)

    iterations: Iterations = choice(200_000, "blocks of T^2 digits, after each of which B is updated")
    hidden_units: Count = paper(256, "units of both cores, and of A's layers below")
    message_units: Count = choice(256, "units of a message")
    batch_size: Count = choice(256, "streams of digits side by side")
    learning_rate: PositiveFloat = paper(1e-5, "Adam's step size, for A, B and M")
    initial_weights: InitialWeights = choice("lecun_normal", DESCRIPTION, older="lecun_normal")
    adam_decays: tuple[float, float] = choice((0.9, 0.999), "Adam's decays of the mean and of the square")
    adam_epsilon: PositiveFloat = choice(1e-8, "added outside the root in Adam")
    batch_norm_epsilon: PositiveFloat = choice(1e-5, "added to the variance")
    batch_norm_momentum: float = choice(0.9, "decay, per report, of the statistics that evaluation uses", ge=0, lt=1)
    core_scale: PositiveFloat = choice(0.1, "initial scale of the batch norms inside the cores, as in Cooijmans et al.")
    forget_bias: float = choice(1.0, "initial bias of the forget gates")

    synthetic_gradient_depth: Depth = paper(1, "hidden layers of M")
    synthetic_gradient_units: Count | None = paper(None, "units of each hidden layer of M; not given: hidden_units")
    synthetic_gradient_factor: float = paper(10.0, "factor of the synthetic gradient at its use by A", ge=0)
    messages: bool = choice(True, "whether messages arrive; without them B reads zeros and can only guess")

    evaluation_streams: Count = choice(2_000, "test streams, of T^2 digits each")

    @classmethod
    def ladder(cls) -> list[Self]:
        return [
            *(cls.tiny(method=method) for method in ("bprop", "dni", "no_bprop")),
            cls.tiny(method="dni", period=3, synthetic_gradient_depth=2, synthetic_gradient_units=6),
        ]

    @classmethod
    def tiny(cls, **fields: Any) -> Self:
        """A tiny cell of 20 iterations, for the parity ladder."""
        sizes = {"hidden_units": 5, "message_units": 4, "batch_size": 6, "evaluation_streams": 7}
        # A larger epsilon, so that Adam does not turn rounding errors of zero gradients into full steps.
        return cls(**({"period": 2, "adam_epsilon": 1e-6, "learning_rate": 3e-3} | sizes | fields))

    def default(self, name: str) -> Any:
        """M is as wide as the cores."""
        return self.hidden_units if name == "synthetic_gradient_units" else super().default(name)

    @cached_property
    def has_synthetic_gradients(self) -> bool:
        """Whether the method trains a model of the gradient."""
        return self.method == "dni"

    @cached_property
    def block(self) -> int:
        """Digits of one stream between two reports of B: T^2."""
        return self.period**2

    @cached_property
    def maps(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of every linear map by name, in the order in which their weights are drawn."""
        hidden, message = self.hidden_units, self.message_units
        found = {f"a.layer{j}": (hidden if j > 1 else PIXELS, hidden) for j in range(1, LAYERS + 1)}
        for network, inputs, counts in (("a", hidden, self.period), ("b", message, self.block)):
            found[f"{network}.core.input"] = (inputs, 4 * hidden)
            found[f"{network}.core.recurrent"] = (hidden, 4 * hidden)
            found[f"{network}.report"] = (hidden, counts + 1)
        found["a.message"] = (hidden, message)
        if self.has_synthetic_gradients:
            widths = [message, *[self.resolved("synthetic_gradient_units")] * self.synthetic_gradient_depth]
            for j, (inputs, outputs) in enumerate(itertools.pairwise(widths), start=1):
                found[f"synthetic_gradient.layer{j}"] = (inputs, outputs)
            found["synthetic_gradient.output"] = (widths[-1], message)
        return found

    @cached_property
    def normalised(self) -> dict[str, tuple[int, ...]]:
        """Every batch norm by name: (time steps with separate statistics, units), or (units,)."""
        found: dict[str, tuple[int, ...]] = {f"a.layer{j}": (self.hidden_units,) for j in range(1, LAYERS + 1)}
        for network in ("a", "b"):
            found[f"{network}.core.input"] = (self.period, 4 * self.hidden_units)
            # The state before the first time step is zero, so it is not projected.
            found[f"{network}.core.recurrent"] = (self.period - 1, 4 * self.hidden_units)
            found[f"{network}.core.cell"] = (self.period, self.hidden_units)
        return found | {"a.message": (self.message_units,)}

    @property
    def weight_shapes(self) -> list[tuple[int, ...]]:
        return list(self.maps.values())

    def initial_parameters(self, seed: int) -> dict[str, np.ndarray]:
        """Weights are drawn by `initial_weights`; input and recurrent weights of a core count as one map.

        M's last map is zero, so the first synthetic gradients are zero. The shift of the first batch norm is the bias
        of a core, so the batch norm of the recurrent term has no shift.
        """
        rng = generator(seed, "init")
        parameters: dict[str, np.ndarray] = {}
        for name, (inputs, outputs) in self.maps.items():
            fan_in = inputs + (0 if ".core." not in name else self._other_inputs(name))
            weight = draw_weight(rng, (inputs, outputs), fan_in, outputs, self.initial_weights)
            parameters[f"{name}.weight"] = 0 * weight if name == "synthetic_gradient.output" else weight
            if name not in self.normalised:
                parameters[f"{name}.bias"] = np.zeros(outputs)
        for name, (*_, units) in self.normalised.items():
            parameters[f"{name}.scale"] = np.full(units, self.core_scale if ".core." in name else 1.0)
            if not name.endswith(".recurrent"):
                parameters[f"{name}.shift"] = np.zeros(units)
        for network in ("a", "b"):  # gates are input, forget, output, candidate
            parameters[f"{network}.core.input.shift"][self.hidden_units : 2 * self.hidden_units] = self.forget_bias
        return parameters

    def _other_inputs(self, name: str) -> int:
        """Inputs of a core's other map: of the recurrent map for the input map, and vice versa."""
        core, which = name.rsplit(".", 1)
        return self.maps[f"{core}.{'recurrent' if which == 'input' else 'input'}"][0]

    def step_inputs(self, seeds: list[int], examples: int, first: int, last: int) -> dict[str, np.ndarray]:
        """For K = last - first iterations: `digits` int32 [K, R, P, T, B] and `learning_rate` float64 [K].

        `digits` are training examples, by windows of a block P, time steps of a window T and streams B.
        """
        shape = (self.period, self.period, self.batch_size)
        digits = [integers_per_iteration(seed, "digits", examples, shape, first, last) for seed in seeds]
        return {"digits": np.stack(digits, axis=1), "learning_rate": np.full(last - first, self.learning_rate)}

    def splits(self, splits: Mapping[str, Examples]) -> dict[str, Examples]:
        """`train`: the digits. `test`: streams of test digits, uint8 [n, T^2, ...] and their labels [n, T^2]."""
        images, labels = splits["test"]
        shape = (self.evaluation_streams, self.block)
        drawn = generator(TEST_SEED, "test digits").integers(len(labels), size=shape)
        return {"train": splits["train"], "test": (images[drawn], labels[drawn])}

    def facts(self, splits: Mapping[str, Examples]) -> dict[str, float]:
        """Digits and updates per iteration, and the error, in percent, of the best constant guess of each count.

        The best guess is the mode of the counts' binomial distribution over streams.
        """
        from scipy import stats  # takes a second, which other uses of a spec save

        _, labels = splits["test"]
        found: dict[str, float] = {
            "digits_per_iteration": self.block * self.batch_size,
            "updates_of_a_per_iteration": 1 if self.method == "bprop" else self.period,
            "updates_of_b_per_iteration": 1,
        }
        for network, counted, digits in (("a", labels % 2 == 1, self.period), ("b", labels == THREE, self.block)):
            chances = stats.binom.pmf(np.arange(digits + 1), digits, counted.mean())
            found[f"constant_guess_error_{network}"] = 100 * (1 - float(chances.max()))
        return found

    @property
    def evaluation_batch(self) -> int:
        """Streams evaluated at once: about as many digits as in a training batch of the paper."""
        return max(1, 8_000 // self.block)

    @property
    def measures_batch(self) -> bool:
        """True if there is an M, whose quality is then measured."""
        return self.has_synthetic_gradients

    def operations_per_step(self) -> float:
        """Matrix products that the method needs, 2 operations per multiply-add."""
        size = {name: inputs * outputs for name, (inputs, outputs) in self.maps.items()}
        digits, ticks, reports = self.block, self.period, self.period
        # Forward, the weights' gradients and the input's gradient, which the pixels do not need. A core's first time
        # step has no recurrent term.
        layers = 3 * digits * sum(size[f"a.layer{j}"] for j in range(1, LAYERS + 1)) - digits * size["a.layer1"]
        core_a = 3 * digits * size["a.core.input"] + 3 * (digits - reports) * size["a.core.recurrent"]
        core_b = 3 * ticks * size["b.core.input"] + 3 * (ticks - 1) * size["b.core.recurrent"]
        if self.method == "no_bprop":
            core_b -= ticks * size["b.core.input"]  # the gradient of the messages is not needed
        ends = 3 * (reports * size["a.report"] + size["b.report"])
        ends += reports * size["a.message"] * (1 if self.method == "no_bprop" else 3)
        model = [value for name, value in size.items() if name.startswith("synthetic_gradient")]
        models = reports * (3 * sum(model) - sum(model[:1]))  # M's regression needs no gradient of the messages
        return 2.0 * self.batch_size * (layers + core_a + core_b + ends + models)
