"""Several workers, one network, no waiting: each trains its block of layers at once, with gradients predicted by M.

For fig_unlocked and table_unlocked, an addition of this suite: the paper's reason for synthetic gradients is that
modules need not wait for each other (section 1), but it reports no times. The net is that of `feedforward`, divided
into blocks of consecutive layers. Time goes in ticks. In every tick each worker takes the newest activation from below,
runs its block, asks M for the gradient, updates its block at once, and sends its activation up and the gradient of its
input down. M learns when the gradient of an earlier batch arrives.

A worker never waits, so before a batch it has made as many updates as one process would have made. Only the gradients
from which M learns are late, by `delays`. So one iteration here is one batch, in all blocks, and M learns from an
earlier batch. K processes that run at once, each at another batch, compute the same numbers (impls/workers).
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from impls.experiments.feedforward import spec as feedforward
from impls.fields import DEEPEST, Iterations, choice

MOST_TICKS = 10_000


class Spec(feedforward.Spec):
    """One cell of the unlocked experiment."""

    cell_fields: ClassVar[tuple[str, ...]] = (*feedforward.Spec.cell_fields, "workers", "link_delay")

    # The paper has no such experiment, so its length is a choice.
    iterations: Iterations = choice(6_000, "training iterations (parameter updates)")
    evaluate_every: Iterations = Field(
        100, description="iterations between evaluations; iteration 0 and the last are also evaluated"
    )
    learning_rate: PositiveFloat = choice(1e-3, "Adam's step size before the first drop; chosen with bprop alone")
    learning_rate_drops: tuple[Iterations, ...] = choice(
        (5_000,), "iterations at which the learning rate is divided by 10"
    )
    depth: int = Field(6, description="layers, including the classifier", ge=2, le=DEEPEST)
    model: Literal["fcn"] = Field("fcn", description="fcn: fully connected")
    method: Literal["bprop", "dni", "cdni", "delayed"] = Field(  # type: ignore[assignment]  # one more method
        "cdni",
        description="gradient at the cuts between workers. bprop: the true one, for which all wait; dni, cdni: a "
        "synthetic gradient, conditioned on the label in cdni; delayed: the true one when it arrives, of an earlier "
        "batch and of the weights that the block had then",
    )
    workers: int = Field(2, description="blocks of consecutive layers, each with a worker", ge=1, le=DEEPEST)
    link_delay: int = Field(
        0,
        description="ticks that a message is on its way, beyond the one in which it is computed. -1: it arrives in "
        "that tick, as if one process computed all blocks",
        ge=-1,
        le=MOST_TICKS,
    )
    residual: Literal["anew", "stored"] = choice(
        "anew", "dni, cdni: the prediction that M compares with the gradient that arrives: made anew, or the one used"
    )

    @model_validator(mode="after")
    def _blocks_fit(self) -> Self:
        if self.workers > self.depth:
            raise ValueError(f"workers must be at most depth: a net of depth {self.depth} has no more layers")
        if self.cut_after or self.bp_lambda:
            raise ValueError("the net is cut between its workers: leave cut_after and bp_lambda at 0")
        return self

    @classmethod
    def ladder(cls) -> list[Self]:
        return [
            cls.tiny(method="cdni"),
            cls.tiny(method="cdni", workers=4, link_delay=1, residual="stored", synthetic_gradient_depth=1),
            cls.tiny(method="dni", workers=2, link_delay=-1),
            cls.tiny(method="delayed", workers=3),
            cls.tiny(method="bprop"),
        ]

    @cached_property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The layers of each worker, from the lowest; layer `depth` is the classifier.

        The busiest worker has as little to compute as possible; the models M are not counted.
        """
        costs = tuple(linear.multiply_adds * (2 if i == 0 else 3) for i, linear in enumerate(self.layer_maps))
        bounds = divided(costs, self.workers)
        return tuple(tuple(range(a + 1, b + 1)) for a, b in zip((0, *bounds), (*bounds, self.depth), strict=True))

    @cached_property
    def cuts(self) -> tuple[int, ...]:
        """Hidden layers with a model M above them: the highest of each block but the last."""
        return tuple(block[-1] for block in self.blocks[:-1]) if self.has_synthetic_gradients else ()

    @cached_property
    def delays(self) -> tuple[int, ...]:
        """By block, from the lowest: the batches begun since the one whose gradient arrives from above.

        A message is used 1 + L ticks after it was sent, for the link's delay L. A synthetic gradient needs no message.
        But M's target goes up as an activation and comes back as a gradient, 2 (1 + L) ticks later. A true gradient
        goes up to the loss and back, through every block in between.
        """
        round_trip = 2 * (1 + self.link_delay)
        if self.method == "delayed":
            return tuple(round_trip * (self.workers - 1 - k) for k in range(self.workers))
        return (*[round_trip if self.has_synthetic_gradients else 0] * (self.workers - 1), 0)

    def step_inputs(self, seeds: list[int], examples: int, first: int, last: int) -> dict[str, np.ndarray]:
        """The examples, the learning rate, and by block what arrives from above.

        `slot` int32 [K, N]: the place of this batch in the delay line of each block. `arrived` bool [K, N]: whether
        there is a batch whose gradient arrives now.
        """
        iteration_K1, delay_N = np.arange(first, last)[:, None], np.array(self.delays)
        return super().step_inputs(seeds, examples, first, last) | {
            "slot": (iteration_K1 % (1 + delay_N)).astype(np.int32),
            "arrived": iteration_K1 >= delay_N,
        }


@cache
def divided(costs: tuple[Any, ...], parts: int) -> tuple[int, ...]:
    """Where to divide a row of costs into consecutive parts, so that the largest sum of a part is least.

    >>> divided((2, 1, 1, 1, 1), 2)
    (2,)
    >>> divided((1, 1, 5), 3)
    (1, 2)
    """
    if parts == 1:
        return ()

    def largest(bounds: tuple[int, ...]) -> Any:
        return max(sum(costs[a:b]) for a, b in zip((0, *bounds), (*bounds, len(costs)), strict=True))

    return min(
        ((*divided(costs[:last], parts - 1), last) for last in range(parts - 1, len(costs))),
        key=largest,
    )
