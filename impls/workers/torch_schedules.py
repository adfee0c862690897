"""The loops of the workers in PyTorch: who waits for whom, schedule by schedule.

A loop is a generator that yields after each batch, so that its caller can take the time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe

from impls.engine.state import flatten, unflatten
from impls.experiments.feedforward.torch_impl import layer, logits
from impls.experiments.unlocked.spec import Spec
from impls.workers.links import Receiver, Sender, averaged_later
from impls.workers.torch_block import Block

MICRO_BATCHES = 4


@dataclass(frozen=True)
class Batch:
    """One training batch: pixels [R, B, H], which only the lowest layer needs; labels [R, B]; the learning rate []."""

    x: Tensor
    labels: Tensor
    rate: Tensor


@dataclass(frozen=True)
class Place:
    """A worker's place among the others.

    Attributes:
        batches: how many are trained on, which is the number of messages on each link.
        link_delay_ms: of each message.
    """

    spec: Spec
    k: int
    replicas: int
    batches: int
    dtype: torch.dtype
    link_delay_ms: float

    @property
    def is_lowest(self) -> bool:
        return self.k == 0

    @property
    def is_highest(self) -> bool:
        return self.k == self.spec.workers - 1


class Links:
    """A worker's links with its neighbours: activations go up, gradients go down.

    Args:
        ahead: messages that are received before they are needed.
        never_sent: the last batches, for which the worker above sends no gradient.
    """

    def __init__(self, place: Place, ahead: int, never_sent: int = 0) -> None:
        def receiver(peer: int, messages: int) -> Receiver:
            highest = place.spec.blocks[min(place.k, peer)][-1]
            shape = (place.replicas, place.spec.batch_size, *place.spec.activation_shape(highest))
            return Receiver(peer, shape, place.dtype, messages, ahead)

        self.activations = None if place.is_lowest else receiver(place.k - 1, place.batches)
        self.gradients_down = None if place.is_lowest else Sender(place.k - 1)
        self.activations_up = None if place.is_highest else Sender(place.k + 1)
        self.gradients = None if place.is_highest else receiver(place.k + 1, place.batches - never_sent)

    def input(self, batch: Batch) -> Tensor:
        """The input of the block: pixels, or what the worker below has sent."""
        return self.activations.receive() if self.activations else batch.x

    def send_down(self, below_RBH: Tensor | None) -> None:
        """Send the gradient of the block's input down, if there is a worker."""
        if self.gradients_down is not None and below_RBH is not None:
            self.gradients_down.send(below_RBH)

    def finish(self) -> None:
        """Wait until all messages have arrived."""
        for receiver in (self.activations, self.gradients):
            if receiver:
                receiver.finish()
        for sender in (self.gradients_down, self.activations_up):
            if sender:
                sender.finish()


def unlocked(place: Place, block: Block, batches: Iterator[Batch]) -> Iterator[None]:
    """dni, cdni: each batch is trained on at once, with a predicted gradient. M learns from gradients of earlier ones.

    How much earlier is `spec.delays`; a link that takes longer than that makes workers wait.
    """
    delay = place.spec.delays[place.k]
    links = Links(place, ahead=delay + 2)
    remembered: dict[int, dict[str, Tensor]] = {}
    for n, batch in enumerate(batches):
        h_RBH, backward = block.forward(links.input(batch))
        if links.activations_up is None:
            own, delta_RBH = block.loss_gradient(h_RBH, batch.labels)
        else:
            links.activations_up.send(h_RBH)
            own, delta_RBH = {}, block.predict(h_RBH, batch.labels)
            remembered[n] = {"h": h_RBH, "labels": batch.labels, "synthetic": delta_RBH}
        found, below_RBH = backward(delta_RBH)
        links.send_down(below_RBH)
        block.update(own | found, batch.rate)
        if links.gradients is not None and n >= delay:
            block.teach(remembered.pop(n - delay) | {"delta": links.gradients.receive()}, batch.rate)
        yield
    links.finish()


def delayed(place: Place, block: Block, batches: Iterator[Batch]) -> Iterator[None]:
    """Each block is updated with the true gradient when it arrives, with the weights and activations of its batch."""
    delay = place.spec.delays[place.k]
    links = Links(place, ahead=delay + 2, never_sent=0 if place.is_highest else place.spec.delays[place.k + 1])
    remembered: dict[int, Callable] = {}
    for n, batch in enumerate(batches):
        h_RBH, backward = block.forward(links.input(batch), block.weights() if delay else None)
        if links.activations_up is None:
            own, delta_RBH = block.loss_gradient(h_RBH, batch.labels)
        else:
            links.activations_up.send(h_RBH)
            remembered[n], own = backward, {}
            if n < delay:
                yield
                continue
            assert links.gradients is not None
            backward, delta_RBH = remembered.pop(n - delay), links.gradients.receive()
        found, below_RBH = backward(delta_RBH)
        links.send_down(below_RBH)
        block.update(own | found, batch.rate)
        yield
    links.finish()


def locked(place: Place, block: Block, batches: Iterator[Batch]) -> Iterator[None]:
    """Backpropagation: each worker waits for its turn, first on the way up and then on the way down."""
    links = Links(place, ahead=2)
    for batch in batches:
        h_RBH, backward = block.forward(links.input(batch))
        if links.activations_up is None:
            own, delta_RBH = block.loss_gradient(h_RBH, batch.labels)
        else:
            links.activations_up.send(h_RBH)
            assert links.gradients is not None
            own, delta_RBH = {}, links.gradients.receive()
        found, below_RBH = backward(delta_RBH)
        links.send_down(below_RBH)
        block.update(own | found, batch.rate)
        yield
    links.finish()


class Stage(torch.nn.Module):
    """A block for PyTorch's own libraries: one replica, trained by autograd."""

    def __init__(self, spec: Spec, block: Block) -> None:
        super().__init__()
        self.spec, self.layers = spec, block.layers
        self.weights = torch.nn.ParameterDict(
            {name.replace(".", "/"): value for name, value in flatten(block.parameters).items()}
        )

    def forward(self, x_BH: Tensor) -> Tensor:
        """The block's output [B, H]; logits [B, C] if it has the classifier."""
        parameters = unflatten({name.replace("/", "."): value for name, value in self.weights.items()})
        h_RBH = x_BH[None]
        for i in self.layers:
            if i < self.spec.depth:
                h_RBH, _ = layer(parameters[f"layer{i}"], h_RBH, self.spec)
            else:
                h_RBH = logits(parameters["classifier"], h_RBH)
        return h_RBH[0]


def optimizer(spec: Spec, stage: torch.nn.Module) -> torch.optim.Optimizer:
    """PyTorch's Adam with the settings of the net."""
    return torch.optim.Adam(stage.parameters(), spec.learning_rate, spec.adam_decays, spec.adam_epsilon, fused=True)


def pipeline(schedule: type, place: Place, block: Block, batches: Iterator[Batch]) -> Iterator[None]:
    """Backpropagation in micro-batches, by torch.distributed.pipelining.

    Batch norm is over each micro-batch, so the net is not quite the same.
    """
    stage = Stage(place.spec, block)
    whole = PipelineStage(stage, place.k, place.spec.workers, torch.device("cpu"))
    turns = schedule(whole, n_microbatches=MICRO_BATCHES, loss_fn=torch.nn.functional.cross_entropy)
    adam = optimizer(place.spec, stage)
    for batch in batches:
        adam.zero_grad()
        if place.is_lowest:
            turns.step(batch.x[0])
        elif place.is_highest:
            turns.step(target=batch.labels[0], losses=[])
        else:
            turns.step()
        adam.step()
        yield


def data_parallel(place: Place, block: Block, batches: Iterator[Batch]) -> Iterator[None]:
    """Backpropagation of the whole net on each worker's share of the batch; gradients are averaged by DDP.

    Batch norm is over each share, so the net is not quite the same. An average over K workers needs at least log2 K
    messages one after the other.
    """
    stage = torch.nn.parallel.DistributedDataParallel(Stage(place.spec, block))
    adam, shares = optimizer(place.spec, stage), dist.get_world_size()
    messages = math.ceil(math.log2(shares))
    if place.link_delay_ms:
        # DDP refuses a hook whose annotations are text.
        stage.register_comm_hook(
            messages * place.link_delay_ms / 1000, lambda seconds, bucket: averaged_later(seconds, bucket)
        )
    for batch in batches:
        x_BH, labels_B = (torch.tensor_split(value[0], shares)[dist.get_rank()] for value in (batch.x, batch.labels))
        adam.zero_grad()
        torch.nn.functional.cross_entropy(stage(x_BH), labels_B).backward()
        adam.step()
        yield


LOOPS: dict[str, Callable[[Place, Block, Iterator[Batch]], Iterator[None]]] = {
    "one_process": locked,  # its block is the whole net: no neighbours
    "locked": locked,
    "gpipe": partial(pipeline, ScheduleGPipe),
    "1f1b": partial(pipeline, Schedule1F1B),
    "data_parallel": data_parallel,
    "delayed": delayed,
    "unlocked": unlocked,
}
