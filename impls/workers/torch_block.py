"""One worker's block of layers in PyTorch, with the model M above it and their optimizers.

The layers are those of the feed-forward experiment, run one operation after the other: what a worker computes must be
the same for every method, and a pullback of an earlier batch must be kept, which no captured step can.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from impls.engine import torch_ops as ops
from impls.engine.state import Tree, flatten, unflatten
from impls.engine.torch_adam import adam, adam_init
from impls.engine.torch_ops import vjp
from impls.experiments.feedforward.torch_impl import layer, loss, synthetic_gradient
from impls.experiments.unlocked.spec import Spec
from impls.experiments.unlocked.torch_impl import model_gradients, names


class Block:
    """The layers of block k: their parameters, running statistics, and Adam's state.

    Args:
        parameters: of the whole net, with a leading replica axis.
    """

    def __init__(self, spec: Spec, k: int, parameters: Tree) -> None:
        self.spec, self.layers = spec, spec.blocks[k]
        self.parameters = {name: parameters[name] for name in names(spec, k)}
        self.adam = adam_init(self.parameters)
        self.model_name = f"synthetic_gradient{self.layers[-1]}"
        self.model: Tree = parameters.get(self.model_name, {})
        self.adam_of_model = adam_init(self.model) if self.model else {}
        self.statistics = {
            name: {"mean": torch.zeros_like(value["shift"]), "variance": torch.ones_like(value["shift"])}
            for name, value in self.parameters.items()
            if "shift" in value
        }

    def trained(self) -> Tree:
        """The parameters of the block and of M, by the names of the whole net."""
        return self.parameters | ({self.model_name: self.model} if self.model else {})

    def weights(self) -> Tree:
        """A copy of the parameters, which later updates do not change."""
        return unflatten({name: value.clone() for name, value in flatten(self.parameters).items()})

    def forward(self, x_RBH: Tensor, parameters: Tree | None = None) -> tuple[Tensor, Callable]:
        """Run the hidden layers.

        Args:
            parameters: given if the pullback will be called after an update of the block's own ones: their copy.

        Returns:
            The activation [R, B, H], and the pullback from its gradient to the gradients of all hidden layers'
            parameters, and of x (None for the lowest block).
        """
        parameters, moments, pullbacks = parameters or self.parameters, {}, []
        for i in self.layers:
            if i < self.spec.depth:
                x_RBH, pullback, (mean_RH, variance_RH) = vjp(
                    layer, parameters[f"layer{i}"], x_RBH, self.spec, input_gradient=i > 1, has_aux=True
                )
                pullbacks.append((f"layer{i}", pullback))
                moments[f"layer{i}"] = {"mean": mean_RH, "variance": variance_RH}
        if moments:
            ops.average_towards(self.statistics, moments, self.spec.batch_norm_momentum)

        def backward(delta_RBH: Tensor) -> tuple[Tree, Tensor | None]:
            gradients = {}
            below: Tensor | None = delta_RBH
            for name, pullback in reversed(pullbacks):
                found, below = pullback(below)
                gradients[name] = ops.scaled(found, self.spec.gradient_scale)
            return gradients, below

        return x_RBH, backward

    def loss_gradient(self, h_RBH: Tensor, labels_RB: Tensor) -> tuple[Tree, Tensor]:
        """Gradients of the mean loss: of the classifier, and of h [R, B, H], this one times `spec.gradient_scale`."""
        loss_R, pullback = vjp(loss, self.parameters["classifier"], h_RBH, labels_RB)
        gradients, delta_RBH = pullback(torch.full_like(loss_R, self.spec.gradient_scale))
        return {"classifier": ops.scaled(gradients, self.spec.gradient_scale)}, delta_RBH

    def predict(self, h_RBH: Tensor, labels_RB: Tensor) -> Tensor:
        """The synthetic gradient of h, [R, B, H] (section 2)."""
        return synthetic_gradient(self.model, h_RBH, labels_RB, self.spec)

    def update(self, gradients: Tree, rate: Tensor) -> None:
        """One update of the block."""
        adam(self.adam, self.parameters, gradients, rate, self.spec.adam_decays, self.spec.adam_epsilon)

    def teach(self, lesson: Tree, rate: Tensor) -> None:
        """One update of M, with the gradient that has arrived for an earlier batch (`model_gradients`)."""
        gradients = model_gradients(self.spec, self.model, lesson)
        adam(self.adam_of_model, self.model, gradients, rate, self.spec.adam_decays, self.spec.adam_epsilon)
