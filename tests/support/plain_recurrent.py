"""A recurrent net in plain PyTorch, one replica, one operation at a time, written without any of the suite's code.

The reference of the recurrent twins' tests: `torch.sigmoid`, one step after the other, gradients by autograd alone.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from impls.experiments.recurrent.spec import Spec


class PlainRecurrent:
    """One replica's core, output, M and auxiliary task, from the twins' parameters."""

    def __init__(self, spec: Spec, parameters: dict[str, np.ndarray], replica: int) -> None:
        self.spec = spec
        self.hidden = spec.resolved("hidden_units")
        self.p = {name: torch.tensor(value[replica]).requires_grad_() for name, value in parameters.items()}

    def linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return x @ self.p[f"{name}.weight"] + self.p[f"{name}.bias"]

    def core(self, x: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """[B, I], [B, S] -> [B, S]; the state is the output and, for the lstm, the cell beside it."""
        h, c = state[:, : self.hidden], state[:, self.hidden :]
        gates = self.linear("core.input", x) + h @ self.p["core.recurrent.weight"]
        if self.spec.model == "rnn":
            return gates.tanh()
        if self.spec.model == "leaky_rnn":
            return (1 - self.spec.leak) * h + self.spec.leak * gates.tanh()
        i, f, o, g = (gates[:, k * self.hidden : (k + 1) * self.hidden] for k in range(4))
        w_i, w_f, w_o = self.p["core.peephole"].split(self.hidden) if self.spec.peepholes else (0.0, 0.0, 0.0)
        c_new = torch.sigmoid(f + w_f * c) * c + torch.sigmoid(i + w_i * c) * g.tanh()
        return torch.cat([torch.sigmoid(o + w_o * c_new) * c_new.tanh(), c_new], 1)

    def cost(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The loss in nats, [B], of the bits [B, O] or of the next symbol [B]."""
        logits = self.linear("output", output)
        if self.spec.is_text:
            return F.cross_entropy(logits, target, reduction="none")
        return F.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(1)

    def model(self, state: torch.Tensor) -> torch.Tensor:
        x = state if self.spec.synthetic_gradient_input == "state" else state[:, : self.hidden]
        for j in range(self.spec.synthetic_gradient_depth):
            x = self.linear(f"synthetic_gradient.layer{j + 1}", x).relu()
        return self.linear("synthetic_gradient.output", x)

    def run(
        self, chunk: dict[str, torch.Tensor], state: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
        """(the batch's summed loss, the outputs [B, H] of all steps, the states [B, S] before, between and after)."""
        loss, outputs, states = torch.zeros((), dtype=state.dtype), [], [state]
        for t in range(len(chunk["x"])):
            state = self.core(chunk["x"][t], state)
            outputs.append(state[:, : self.hidden])
            loss = loss + (self.cost(outputs[-1], chunk["target"][t]) * chunk["counted"][t]).sum()
            state = state * chunk["keep"][t]
            states.append(state)
        return loss, outputs, states


def plain_chunk(observed: dict[str, np.ndarray], replica: int) -> dict[str, torch.Tensor]:
    """What a replica reads in an iteration, by the twins. Without a mask every step counts and no sequence ends."""
    chunk = {name: torch.tensor(np.asarray(observed[name])[replica]) for name in ("x", "target")}
    if chunk["target"].ndim == 2:
        chunk["target"] = chunk["target"].long()
    ones = torch.ones(chunk["x"].shape[:2], dtype=chunk["x"].dtype)
    counted, keep = observed.get("counted"), observed.get("keep")
    position = observed.get("position")
    chunk["continued"] = (
        ones[0, :, None] if position is None else torch.tensor(np.asarray(position)[replica, 0, :, None] > 0)
    )
    chunk["counted"] = ones if counted is None else torch.tensor(np.asarray(counted)[replica])
    chunk["keep"] = ones[..., None] if keep is None else torch.tensor(np.asarray(keep)[replica])
    return chunk
