"""SGD exactly as Keras computes it."""

from collections.abc import Iterable
from typing import Any

import torch


class KerasSGD(torch.optim.Optimizer):
    """SGD whose velocity holds the learning rate of each step, also when that changes."""

    def __init__(
        self,
        params: Iterable[torch.Tensor],
        lr: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, {**defaults, "nesterov": nesterov})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update all weights that have a gradient."""
        for group in self.param_groups:
            lr, momentum = group["lr"], group["momentum"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["velocity"] = torch.zeros_like(weight)
                velocity = state["velocity"]
                weight.mul_(1 - lr * group["weight_decay"])
                velocity.mul_(momentum).sub_(lr * weight.grad)
                if group["nesterov"]:
                    weight.add_(momentum * velocity - lr * weight.grad)
                else:
                    weight.add_(velocity)
