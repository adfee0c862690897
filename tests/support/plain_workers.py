"""Workers that send each other messages, tick by tick, in plain PyTorch: the reference of the unlocked experiment.

Each worker knows only its own block and the messages that have arrived. At tick t worker k is at batch t - k (1 + L).
A message that is sent at tick t is used at tick t + 1 + L, not earlier and not later, which is asserted.
"""

from __future__ import annotations

import copy

import torch

from impls.experiments.unlocked.spec import Spec
from tests.support.plain_net import PlainNet


class Links:
    """Messages between neighbours by (kind, receiver, batch). Each can be taken in one tick only."""

    def __init__(self, ticks: int) -> None:
        self.ticks = ticks
        self.messages: dict[tuple[str, int, int], tuple[int, torch.Tensor]] = {}

    def send(self, kind: str, receiver: int, batch: int, tick: int, value: torch.Tensor) -> None:
        self.messages[kind, receiver, batch] = tick + self.ticks, value.detach()

    def take(self, kind: str, receiver: int, batch: int, tick: int) -> torch.Tensor:
        arrives, value = self.messages.pop((kind, receiver, batch))
        assert arrives == tick, f"{kind} of batch {batch} arrives at worker {receiver} in tick {arrives}, not {tick}"
        return value


class Worker(PlainNet):
    """One worker: its block, the model M above it, an optimizer for each, and what it remembers of earlier batches."""

    def __init__(self, spec: Spec, parameters: dict, replica: int, k: int) -> None:
        super().__init__(spec, parameters, replica)
        self.k, self.is_last, self.cut = k, k == spec.workers - 1, spec.blocks[k][-1]
        names = tuple(f"layer{i}." if i < spec.depth else "classifier." for i in spec.blocks[k])
        self.block = {name: value for name, value in self.p.items() if name.startswith(names)}
        above = f"synthetic_gradient{self.cut}."
        self.model_above = {name: value for name, value in self.p.items() if name.startswith(above)}
        settings = (spec.learning_rate, spec.adam_decays, spec.adam_epsilon)
        self.adam = torch.optim.Adam(self.block.values(), *settings)
        self.adam_of_model = torch.optim.Adam(self.model_above.values(), *settings) if self.model_above else None
        self.remembered: dict[int, tuple] = {}  # by batch

    def tick(self, tick: int, batch: int, x: torch.Tensor, labels: torch.Tensor, links: Links) -> None:
        """One batch: forward, the gradient, the update, the messages; then what M learns."""
        x = (links.take("activation", self.k, batch, tick) if self.k else x).requires_grad_()
        net = copy.copy(self)  # with the weights of this tick
        weights = {name: value.detach().clone().requires_grad_() for name, value in self.block.items()}
        net.p, h = self.p | weights, x
        for i in self.spec.blocks[self.k]:
            h = net.hidden(f"layer{i}", h) if i < self.spec.depth else h
        if self.is_last:
            loss = net.summed_loss(h, labels) * self.spec.gradient_scale / self.spec.batch_size
            self.learn(tick, batch, (loss, None, x, weights), links)
            return
        links.send("activation", self.k + 1, batch, tick, h)
        if self.adam_of_model:
            synthetic = self.model(self.cut, h.detach(), labels).detach()
            self.remembered[batch] = h.detach(), labels, synthetic
            self.learn(tick, batch, (h, synthetic, x, weights), links)
            self.teach(tick, batch - 2 * links.ticks, links)
            return
        self.remembered[batch] = h, x, weights
        earlier = batch - 2 * links.ticks * (self.spec.workers - 1 - self.k)
        if earlier >= 0:  # the true gradient, late
            output, x, weights = self.remembered.pop(earlier)
            self.learn(tick, earlier, (output, links.take("gradient", self.k, earlier, tick), x, weights), links)

    def learn(self, tick: int, batch: int, what: tuple, links: Links) -> None:
        """Update the block with a gradient of its output, and send that of its input down."""
        output, gradient, x, weights = what
        *gradients, below = torch.autograd.grad(output, [*weights.values(), x], gradient)
        if self.k:
            links.send("gradient", self.k - 1, batch, tick, below)
        for value, found in zip(self.block.values(), gradients, strict=True):
            value.grad = found / self.spec.gradient_scale
        self.adam.step()

    def teach(self, tick: int, batch: int, links: Links) -> None:
        """M learns the gradient of an earlier batch."""
        if batch < 0:
            return
        h, labels, used = self.remembered.pop(batch)
        delta = links.take("gradient", self.k, batch, tick)
        predicted = self.model(self.cut, h, labels)
        compared = used if self.spec.residual == "stored" else predicted.detach()
        self.adam_of_model.zero_grad()
        predicted.backward((compared - delta) * (2 / self.spec.batch_size))
        self.adam_of_model.step()

    def trained(self) -> dict:
        """The parameters of the block and of M, by name."""
        return {name: value.detach().numpy() for name, value in (self.block | self.model_above).items()}


def train(spec: Spec, parameters: dict, replica: int, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> dict:
    """Parameters by name after every worker has run all batches."""
    ticks = 1 + spec.link_delay
    links, workers = Links(ticks), [Worker(spec, parameters, replica, k) for k in range(spec.workers)]
    for tick in range(len(batches) + ticks * (spec.workers - 1)):
        for worker in workers:
            batch = tick - worker.k * ticks
            if 0 <= batch < len(batches):
                worker.tick(tick, batch, *batches[batch], links)
    return {name: value for worker in workers for name, value in worker.trained().items()}
