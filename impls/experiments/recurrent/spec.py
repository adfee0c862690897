"""Recurrent nets with synthetic gradients: the computation, independent of the framework.

Reproduces table_rnn, fig_copy_progress, fig_ptb_curves and text_ptb (paper: "Recurrent neural networks"). A recurrent
core runs over an endless stream in chunks of T time steps, the truncation length, and is updated after each chunk. At
the end of a chunk, truncated backpropagation through time uses a zero gradient. DNI uses a model M, which predicts the
gradient of the loss of all later time steps. Two tasks, Copy and Repeat Copy, are drawn from the seed; each replica
has a curriculum of longer and longer sequences. The third task is text, Penn Treebank by characters.
Results on the real data: results/published/*/tables/table_rnn.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, model_validator

from impls.engine.curves import Curves
from impls.engine.initial_weights import DESCRIPTION, InitialWeights, draw_weight
from impls.engine.randomness import bytes_per_iteration, generator, integers_per_iteration, uniform_per_iteration
from impls.engine.spec import CellSpec
from impls.experiments.recurrent.copy_tasks import CopyTasks
from impls.fields import Count, Depth, Iterations, TimeSteps, choice, paper

SYMBOLS = 50  # of the text: 49 characters and the end of a sentence
MANY = 2**31 - 1  # sizes are drawn as integers below it, of which the remainder counts
REPEATS_SCALE = 10  # the number of repeats is divided by it in the input
GATES = {"lstm": 4, "rnn": 1, "leaky_rnn": 1}
UNROLLED = 8  # time steps: JAX compiles a longer chunk as a loop (docs/engine.md, "Recurrent nets")


class Spec(CopyTasks, CellSpec):
    """One cell of the recurrent experiment; the defaults are the paper's."""

    cell_fields: ClassVar[tuple[str, ...]] = ("dataset", "model", "method", "truncation_length")

    dataset: Literal["copy", "repeat_copy", "ptb"] = Field("copy", description="task, or text")
    model: Literal["lstm", "rnn", "leaky_rnn"] = Field("lstm", description="recurrent core")
    method: Literal["bptt", "dni", "dni_aux"] = Field(
        "dni",
        description="gradient of a chunk's last state. bptt: zero, backpropagation is truncated there; "
        "dni: a synthetic gradient; dni_aux: as dni, and the core also learns to predict future synthetic gradients",
    )
    truncation_length: TimeSteps = Field(3, description="time steps of a chunk, T; one update for each chunk")

    iterations: Iterations = choice(2_500_000, "training iterations (parameter updates), one for each chunk")
    hidden_units: Count | None = paper(None, "units of the core; not given: 1024 for ptb, else 256")
    batch_size: Count = paper(256, "sequences, or rows of the text, side by side")
    learning_rate: PositiveFloat = paper(7e-5, "Adam's step size")
    adam_decays: tuple[float, float] = choice((0.9, 0.999), "Adam's decays of the mean and of the square")
    adam_epsilon: PositiveFloat = choice(1e-8, "added outside the root in Adam")
    initial_weights: InitialWeights = choice("lecun_normal", DESCRIPTION, older="lecun_normal")
    peepholes: bool = choice(False, "lstm: peephole connections from the cell state to the gates, as in Graves 2013")
    forget_bias: float = choice(1.0, "lstm: initial bias of the forget gate")
    leak: float = choice(0.5, "leaky_rnn: share of the new activation in the state", gt=0, le=1)

    synthetic_gradient_depth: Depth = paper(1, "hidden layers of M")
    synthetic_gradient_units: Count | None = paper(None, "units of each hidden layer of M; not given: the core's")
    synthetic_gradient_input: Literal["output", "state"] = paper(
        "output", "input of M: the core's output, or its whole state (lstm: output and cell)"
    )
    synthetic_gradient_learning_rate: PositiveFloat | None = choice(
        None, "Adam's step size for M; not given: the core's"
    )
    synthetic_gradient_factor: NonNegativeFloat = paper(0.1, "factor of the synthetic gradient at its use")
    factor_in_target: bool = choice(True, "whether M's bootstrapped target also has the factor")
    regression_rows: Literal["all", "continued"] = choice(
        "all",
        "copy, repeat_copy: rows from which M learns: all, or only those in the middle of a sequence, whose state was "
        "not just cleared",
        older="all",
    )
    regression_gradient: bool = choice(False, "whether the gradient of M's regression reaches the core")
    auxiliary_weight: NonNegativeFloat = paper(1.0, "dni_aux: weight of the auxiliary loss")

    character_bits: int = choice(8, "copy, repeat_copy: bits of a character", ge=1, le=8)
    levels: Count = choice(40, "copy, repeat_copy: number of levels of the curriculum")
    solved_bits: PositiveFloat = paper(0.15, "copy, repeat_copy: error in bits below which a level is solved")
    solved_unit: Literal["character", "sequence"] = choice(
        "character",
        "copy, repeat_copy: what this error counts: the bits of a character, or of a whole sequence",
        older="character",
    )
    solved_window: Count = choice(100, "copy, repeat_copy: number of chunks over which this error is averaged")
    repeats_step: Literal["with_stop", "own"] = paper(
        "own",
        "repeat_copy: when the number of repeats is read: with the stop symbol, or in the next time step",
        older="with_stop",
    )
    level_draw: Literal["fixed", "uniform"] = choice(
        "fixed",
        "copy, repeat_copy: size of a sequence. fixed: its level's length and repeats; uniform: each is drawn, from 1 "
        "to its level's",
        older="fixed",
    )
    phase: Literal["own", "shared"] = choice(
        "own", "copy, repeat_copy: whether each sequence of the batch has its own offset in time, or all are in step"
    )
    carry_state: bool = choice(False, "copy, repeat_copy: carry the core's state from one sequence to the next")

    evaluation_rows: Count = choice(100, "ptb: rows into which a split is cut for evaluation, run side by side")
    evaluation_warm_up: NonNegativeInt = choice(
        100, "ptb: characters that a row of the evaluation reads before its first counted one"
    )

    @model_validator(mode="after")
    def _fields_fit_together(self) -> Self:
        if self.peepholes and self.model != "lstm":
            raise ValueError(f"peepholes need the lstm: {self.model} has none")
        return self

    @classmethod
    def completed(cls, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """As in `CellSpec`, but the step of the repeats is completed only for Repeat Copy: no other task has it."""
        default = cls.model_fields["repeats_step"].default
        without = {} if recorded["dataset"] == "repeat_copy" else {"repeats_step": default}
        return super().completed(without | dict(recorded))

    @classmethod
    def ladder(cls) -> list[Self]:
        longer = {"truncation_length": UNROLLED + 1}
        return [
            *(cls.tiny(method=method) for method in ("bptt", "dni")),
            cls.tiny(dataset="repeat_copy", method="dni_aux", peepholes=True, factor_in_target=False, **longer),
            cls.tiny(
                model="rnn", phase="shared", regression_gradient=True, synthetic_gradient_learning_rate=1e-3, **longer
            ),
            cls.tiny(
                model="leaky_rnn", dataset="repeat_copy", method="bptt", carry_state=True, repeats_step="with_stop"
            ),
            cls.tiny(dataset="repeat_copy", method="dni", level_draw="uniform"),
            cls.tiny(method="dni", solved_unit="sequence", level_draw="uniform", regression_rows="continued"),
            cls.tiny(
                dataset="ptb",
                method="dni_aux",
                truncation_length=2,
                regression_gradient=True,
                peepholes=True,
                synthetic_gradient_input="state",
                synthetic_gradient_depth=2,
            ),
        ]

    @classmethod
    def tiny(cls, **fields: Any) -> Self:
        """A tiny cell of 20 iterations, in which replicas are promoted, for the parity ladder."""
        sizes = {"hidden_units": 5, "synthetic_gradient_units": 6, "batch_size": 4, "character_bits": 3, "levels": 5}
        rules = {"solved_bits": 50.0, "solved_window": 5, "evaluation_rows": 3, "evaluation_warm_up": 2}
        # A larger epsilon, so that Adam does not turn rounding errors of zero gradients into full steps.
        return cls(**({"adam_epsilon": 1e-6, "learning_rate": 3e-3} | sizes | rules | fields))

    def default(self, name: str) -> Any:
        """The width depends on the data set, M's width on the core's."""
        if name == "hidden_units":
            return 1024 if self.dataset == "ptb" else 256
        if name == "synthetic_gradient_units":
            return self.resolved("hidden_units")
        if name == "synthetic_gradient_learning_rate":
            return self.learning_rate
        return super().default(name)

    @cached_property
    def has_synthetic_gradients(self) -> bool:
        """Whether the method trains a model of the gradient."""
        return self.method != "bptt"

    @cached_property
    def is_text(self) -> bool:
        """Whether the task is text; otherwise it is a copy task."""
        return self.dataset == "ptb"

    @cached_property
    def state_units(self) -> int:
        """Width S of the core's state: the output and, for the lstm, then the cell."""
        return self.resolved("hidden_units") * (2 if self.model == "lstm" else 1)

    @cached_property
    def input_units(self) -> int:
        """Text: one per symbol. Copy tasks: the bits, the stop symbol and, for repeat_copy, the number of repeats."""
        if self.is_text:
            return SYMBOLS
        return self.character_bits + (2 if self.dataset == "repeat_copy" else 1)

    @cached_property
    def output_units(self) -> int:
        """Text: one per symbol. Copy tasks: the bits and the stop symbol."""
        return SYMBOLS if self.is_text else self.character_bits + 1

    @cached_property
    def headline(self) -> tuple[str, str, str]:  # type: ignore[override]  # a constant of the others
        """Split, metric and unit of the progress line."""
        return ("test", "bits_per_character", " bits") if self.is_text else ("batch", "task_length", " steps")

    @property
    def maps(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of every linear map by name, in the order in which their weights are drawn."""
        hidden, gates = self.resolved("hidden_units"), GATES[self.model]
        found = {
            "core.input": (self.input_units, gates * hidden),
            "core.recurrent": (hidden, gates * hidden),
            "output": (hidden, self.output_units),
        }
        if self.has_synthetic_gradients:
            seen = self.state_units if self.synthetic_gradient_input == "state" else hidden
            widths = [seen, *[self.resolved("synthetic_gradient_units")] * self.synthetic_gradient_depth]
            for j, (inputs, outputs) in enumerate(itertools.pairwise(widths), start=1):
                found[f"synthetic_gradient.layer{j}"] = (inputs, outputs)
            found["synthetic_gradient.output"] = (widths[-1], self.state_units)
        if self.method == "dni_aux":
            found["auxiliary"] = (hidden, self.state_units)
        return found

    @property
    def weight_shapes(self) -> list[tuple[int, ...]]:
        return list(self.maps.values())

    def initial_parameters(self, seed: int) -> dict[str, np.ndarray]:
        """Weights are drawn by `initial_weights`; the core's input and recurrent weights count as one map.

        These are zero: the biases except the forget gate's, the peepholes, and the last maps of M and of the auxiliary
        task. So the first synthetic gradients are zero.
        """
        rng = generator(seed, "init")
        hidden = self.resolved("hidden_units")
        parameters: dict[str, np.ndarray] = {}
        for name, (inputs, outputs) in self.maps.items():
            fan_in = self.input_units + hidden if name.startswith("core") else inputs
            weight = draw_weight(rng, (inputs, outputs), fan_in, outputs, self.initial_weights)
            parameters[f"{name}.weight"] = 0 * weight if name in ("synthetic_gradient.output", "auxiliary") else weight
            if name != "core.recurrent":  # its bias is that of the inputs
                parameters[f"{name}.bias"] = np.zeros(outputs)
        if self.model == "lstm":
            parameters["core.input.bias"][hidden : 2 * hidden] = self.forget_bias
        if self.peepholes:
            parameters["core.peephole"] = np.zeros(3 * hidden)
        return parameters

    def step_inputs(self, seeds: list[int], examples: int, first: int, last: int) -> dict[str, np.ndarray]:
        """For K = last - first iterations: `learning_rate` float64 [K], and the inputs of the task.

        copy, repeat_copy: `characters` uint8 [K, R, T, B], one per time step, of which the task uses those that it
        shows; `wait` float64 [K, R, B] in [0, 1), the wait before the first sequence of a level, in sequence lengths;
        with `level_draw` uniform, `sizes` int32 [K, R, 2, B], from which lengths and repeats are drawn.
        ptb: `positions` int32 [K, R, B], at which the rows' chunks start in the text of `examples` symbols.
        """
        inputs = {"learning_rate": np.full(last - first, self.learning_rate)}
        length, batch = self.truncation_length, self.batch_size
        if self.is_text:
            row_starts = np.arange(batch) * (examples // batch)
            offsets = np.array([generator(seed, "offset").integers(examples) for seed in seeds])
            steps = np.arange(first, last) * length
            positions = (steps[:, None, None] + offsets[:, None] + row_starts) % examples
            return inputs | {"positions": positions.astype(np.int32)}
        drawn = [bytes_per_iteration(seed, "characters", (length, batch), first, last) for seed in seeds]
        waits = [uniform_per_iteration(seed, "wait", batch, first, last) for seed in seeds]
        mask = np.uint8(2**self.character_bits - 1)
        inputs |= {"characters": np.stack(drawn, axis=1) & mask, "wait": np.stack(waits, axis=1)}
        if self.level_draw == "uniform":
            sizes = [integers_per_iteration(seed, "sizes", MANY, (2, batch), first, last) for seed in seeds]
            inputs["sizes"] = np.stack(sizes, axis=1)
        return inputs

    def evaluation_examples(self) -> dict[str, int | None]:
        return {"test": None, "valid": None} if self.is_text else {}

    @property
    def evaluation_batch(self) -> int:
        """The whole split, because its rows carry their state from start to end."""
        return 2**62

    @property
    def measures_batch(self) -> bool:
        """True if there is something to measure: the level of the curriculum, or the quality of M."""
        return self.has_synthetic_gradients or not self.is_text

    def stops_early(self, curves: Curves) -> bool:
        """ptb: whether every replica's validation error has risen, or is NaN; its best evaluation is an earlier one."""
        if not self.is_text:
            return False
        valid_KR = curves.values("valid", "bits_per_character")
        return bool((~(valid_KR[1:] <= valid_KR[:-1])).any(0).all())

    def operations_per_step(self) -> float:
        """Matrix products that the method needs, 2 operations per multiply-add."""
        size = {name: inputs * outputs for name, (inputs, outputs) in self.maps.items()}
        steps = self.truncation_length
        # Forward and the weights' gradients; the gradient of the state, which bptt does not need at the first step.
        multiply_adds = 2 * steps * (size["core.input"] + size["core.recurrent"] + size["output"])
        multiply_adds += (steps - (self.method == "bptt")) * size["core.recurrent"] + steps * size["output"]
        if self.has_synthetic_gradients:
            model = [value for name, value in size.items() if name.startswith("synthetic_gradient")]
            # M is used at the chunk's end, and trained at its start.
            multiply_adds += sum(model) + 2 * sum(model) + sum(model[1:])
            multiply_adds += 0 if self.factor_in_target else steps * size["core.recurrent"]
        if self.method == "dni_aux":
            multiply_adds += 3 * size["auxiliary"]
        return 2.0 * self.batch_size * multiply_adds
