"""Adagrad exactly as Keras computes it."""

from collections.abc import Iterable
from typing import Any

import torch


class KerasAdagrad(torch.optim.Optimizer):
    """Adagrad with epsilon under the square root and decoupled weight decay."""

    def __init__(
        self,
        params: Iterable[torch.Tensor],
        lr: float = 0.001,
        initial_accumulator_value: float = 0.1,
        eps: float = 1e-7,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "eps": eps, "weight_decay": weight_decay})
        self.initial = initial_accumulator_value

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update all weights that have a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["sum"] = torch.full_like(weight, self.initial)
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                total = state["sum"].add_(weight.grad.square())
                weight.sub_(group["lr"] * weight.grad / (total + group["eps"]).sqrt())
