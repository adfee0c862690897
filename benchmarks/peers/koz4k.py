"""koz4k/dni-pytorch: its example for MNIST, a net of 784-256-256-10 units with one interface below the classifier."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.peers.peer import Peer, imported

INPUTS, UNITS, CLASSES, BATCH = 784, 256, 10, 64
SIZES = {"depth": 3, "hidden_units": UNITS, "batch_size": BATCH}
ONE_CUT = SIZES | {"cut_after": 2, "synthetic_gradient_depth": 1, "synthetic_gradient_units": UNITS}


def training_step(checkout: Path, method: str) -> Callable[[Any, Any], Any]:
    """One iteration of the example, with the example's optimizer."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    dni = imported(checkout / "dni.py")

    def block(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs))

    hidden = nn.Sequential(block(INPUTS, UNITS), nn.ReLU(), block(UNITS, UNITS))
    top = nn.Sequential(nn.ReLU(), block(UNITS, CLASSES))
    modules = [hidden, top]
    if method != "bprop":
        context = {"cdni": CLASSES}.get(method)
        interface = dni.BackwardInterface(dni.BasicSynthesizer(output_dim=UNITS, n_hidden=1, context_dim=context))
        modules.append(interface)
    optimizer = torch.optim.Adam(nn.ModuleList(modules).parameters(), lr=1e-3)

    def step(inputs: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        h = hidden(inputs)
        if method != "bprop":
            with dni.synthesizer_context(F.one_hot(labels, CLASSES).float() if method == "cdni" else None):
                h = interface(h)
        loss = F.nll_loss(F.log_softmax(top(h), dim=1), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


PEER = Peer(
    repository="koz4k/dni-pytorch",
    marks={"dni.py": "class BackwardInterface", "examples/mnist-mlp/main.py": "nn.Linear(784, 256"},
    methods={
        "bprop": ("feedforward", SIZES | {"method": "bprop"}),
        "dni": ("single_dni", ONE_CUT | {"method": "dni"}),
        "cdni": ("single_dni", ONE_CUT | {"method": "cdni"}),
    },
    batch_size=BATCH,
    input_units=INPUTS,
    differences=(
        "both have batch norm and no bias in the hidden layers, and Adam. After the classifier, theirs have batch norm "
        "and ours a bias; in M's hidden layer, theirs have a bias and ours batch norm. Their interface is below the "
        "last ReLU, ours above it. In a step, theirs run M forward twice, ours once. Ours convert images from bytes."
    ),
    training_step=training_step,
)
