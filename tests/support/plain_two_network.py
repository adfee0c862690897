"""Two networks in plain PyTorch, one replica, one digit after the other, written without any of the suite's code.

The reference of the twins' tests: gradients by autograd alone; batch norm, cross-entropy and Adam as their papers say.
"""

from __future__ import annotations

from itertools import chain

import numpy as np
import torch

from impls.experiments.two_network.spec import Spec

Block = tuple[list[list[torch.Tensor]], list[list[list[int]]]]  # [window][time step]: digits [B, I], their labels


class PlainTwoNetwork:
    """One replica of A, B and M, from the twins' parameters, in training from the start."""

    def __init__(self, spec: Spec, parameters: dict[str, np.ndarray], replica: int) -> None:
        self.spec = spec
        self.p = {name: torch.tensor(value[replica]).requires_grad_() for name, value in parameters.items()}
        self.running: dict[tuple[str, int], list[torch.Tensor]] = {}  # by norm and time step: mean and variance
        self.adam_of = {name: [torch.zeros_like(v), torch.zeros_like(v), 0] for name, v in self.p.items()}
        self.training = True

    def linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """[n, I] -> [n, O]."""
        return x @ self.p[f"{name}.weight"] + self.p.get(f"{name}.bias", 0.0)

    def norm(self, name: str, x: torch.Tensor, time: int = 0) -> torch.Tensor:
        """Batch norm over the rows of x [n, N]; `time` is the time step whose running statistics it updates or uses."""
        spec, nothing = self.spec, torch.zeros_like(x[0]).detach()
        running = self.running.setdefault((name, time), [nothing, nothing + 1])
        if self.training:
            mean = x.mean(0)
            variance = ((x - mean) ** 2).mean(0)
            for k, now in enumerate((mean.detach(), variance.detach())):
                running[k] = spec.batch_norm_momentum * running[k] + (1 - spec.batch_norm_momentum) * now
        else:
            mean, variance = running
        shift = self.p.get(f"{name}.shift", 0.0)
        return self.p[f"{name}.scale"] * (x - mean) / (variance + spec.batch_norm_epsilon) ** 0.5 + shift

    def core(self, name: str, inputs: list[torch.Tensor]) -> torch.Tensor:
        """Cooijmans' lstm over inputs [B, I], from zeros: its last output [B, H].

        The first state is projected and normalised as all others are, though it is zero.
        """
        hidden = self.spec.hidden_units
        h = c = torch.zeros(len(inputs[0]), hidden, dtype=torch.float64)
        for t, x in enumerate(inputs):
            gates = self.norm(f"{name}.input", self.linear(f"{name}.input", x), t)
            gates = gates + self.norm(f"{name}.recurrent", self.linear(f"{name}.recurrent", h), t)
            i, f, o, g = (gates[:, k * hidden : (k + 1) * hidden] for k in range(4))
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * g.tanh()
            h = torch.sigmoid(o) * self.norm(f"{name}.cell", c, t).tanh()
        return h

    def network_a(self, window: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Digits [B, I] of T time steps: the report's logits [B, C] and the message [B, M]."""
        read = torch.cat(window)  # all digits of a window share the layers' statistics
        for name in ("a.layer1", "a.layer2"):
            read = self.norm(name, self.linear(name, read)).clamp(min=0)
        h = self.core("a.core", list(read.split(len(window[0]))))
        return self.linear("a.report", h), self.norm("a.message", self.linear("a.message", h))

    def network_b(self, messages: list[torch.Tensor]) -> torch.Tensor:
        """Messages [B, M] in the order in which they were sent: the report's logits [B, C]."""
        return self.linear("b.report", self.core("b.core", messages))

    def model(self, message: torch.Tensor) -> torch.Tensor:
        for j in range(self.spec.synthetic_gradient_depth):
            message = self.linear(f"synthetic_gradient.layer{j + 1}", message).clamp(min=0)
        return self.linear("synthetic_gradient.output", message)

    def cost(self, logits: torch.Tensor, counts: list[int]) -> torch.Tensor:
        """Cross-entropy in nats, the mean over the streams."""
        nats = [row.exp().sum().log() - row[count] for row, count in zip(logits, counts, strict=True)]
        return sum(nats) / len(nats)

    def joint(self, block: Block) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Both networks' loss on a block, A's reports added up; and the messages, all in one graph."""
        loss, messages = 0.0, []
        for window, labels in zip(*block, strict=True):
            logits, message = self.network_a(window)
            loss = loss + self.cost(logits, odd(labels))
            messages.append(message)
        return loss + self.cost(self.network_b(messages), threes(block[1])), messages

    def train(self, block: Block) -> None:
        """One iteration of the spec's method."""
        if self.spec.method == "bprop":
            self.adam(self.joint(block)[0], "a", "b")
            return
        sent = []
        for window, labels in zip(*block, strict=True):
            logits, message = self.network_a(window)
            loss = self.cost(logits, odd(labels))
            if self.spec.method == "dni":  # M predicts for one stream's loss; training is on the mean over streams
                received = self.spec.synthetic_gradient_factor * self.model(message).detach()
                loss = loss + (received * message).sum() / len(message)
            self.adam(loss, "a")
            sent.append(message.detach().requires_grad_())
        loss = self.cost(self.network_b(sent), threes(block[1]))
        if self.spec.method == "dni":
            deltas = torch.autograd.grad(loss * len(sent[0]), sent, retain_graph=True)  # of each stream's own loss
            errors = [(self.model(message.detach()) - delta) ** 2 for message, delta in zip(sent, deltas, strict=True)]
            self.adam(sum(error.sum(1).mean() for error in errors) / len(errors), "synthetic_gradient")
        self.adam(loss, "b")

    def adam(self, loss: torch.Tensor, *modules: str) -> None:
        """Kingma and Ba's algorithm 1 on all parameters of these modules, those without a gradient included."""
        names = [name for name in self.p if name.split(".")[0] in modules]
        found = torch.autograd.grad(loss, [self.p[name] for name in names], allow_unused=True, materialize_grads=True)
        (first, second), rate = self.spec.adam_decays, self.spec.learning_rate
        for name, gradient in zip(names, found, strict=True):
            mean, square, t = self.adam_of[name]
            mean, square, t = first * mean + (1 - first) * gradient, second * square + (1 - second) * gradient**2, t + 1
            self.adam_of[name] = [mean, square, t]
            step = rate * (mean / (1 - first**t)) / ((square / (1 - second**t)).sqrt() + self.spec.adam_epsilon)
            self.p[name] = (self.p[name] - step).detach().requires_grad_()

    def errors(self, streams: Block) -> tuple[float, float]:
        """Percent of wrong reports of A and of B, with the running statistics."""
        self.training, wrong, messages = False, [], []
        for window, labels in zip(*streams, strict=True):
            logits, message = self.network_a(window)
            wrong += [int(row.argmax()) != count for row, count in zip(logits, odd(labels), strict=True)]
            messages.append(message)
        logits, counts = self.network_b(messages), threes(streams[1])
        wrong_b = [int(row.argmax()) != count for row, count in zip(logits, counts, strict=True)]
        self.training = True
        return 100 * sum(wrong) / len(wrong), 100 * sum(wrong_b) / len(wrong_b)

    def statistics(self) -> dict[str, np.ndarray]:
        """Running statistics under the twins' names. `recurrent` has one time step more: its first state is zero."""
        found = {}
        for norm in {name for name, _ in self.running}:
            times = [self.running[norm, t] for t in range(sum(name == norm for name, _ in self.running))]
            for k, moment in enumerate(("mean", "variance")):
                found[f"{norm}.{moment}"] = np.stack([each[k].numpy() for each in times])
        return found


def odd(window: list[list[int]]) -> list[int]:
    """Labels by time step and stream: how many of each stream's are odd."""
    return [sum(label in (1, 3, 5, 7, 9) for label in stream) for stream in zip(*window, strict=True)]


def threes(block: list[list[list[int]]]) -> list[int]:
    """Labels by window, time step and stream: how many of each stream's are threes."""
    return [sum(label == 3 for label in stream) for stream in zip(*chain.from_iterable(block), strict=True)]


def plain_block(images: np.ndarray, labels: np.ndarray) -> Block:
    """One replica's uint8 images [P, T, B, 28, 28] and labels [P, T, B], split by window and time step."""
    digits = [[torch.tensor(at.reshape(len(at), -1) / 255.0) for at in window] for window in images]
    return digits, [[[int(label) for label in at] for at in window] for window in labels]
