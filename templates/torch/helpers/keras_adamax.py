"""Adamax exactly as Keras computes it."""

from collections.abc import Iterable
from typing import Any

import torch


class KerasAdamax(torch.optim.Optimizer):
    """Adamax with epsilon added to the norm where it divides, and decoupled weight decay."""

    def __init__(
        self,
        params: Iterable[torch.Tensor],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update all weights that have a gradient."""
        for group in self.param_groups:
            lr, (beta_1, beta_2) = group["lr"], group["betas"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["step"] = 0
                    state["mean"] = torch.zeros_like(weight)
                    state["norm"] = torch.zeros_like(weight)
                state["step"] += 1
                weight.mul_(1 - lr * group["weight_decay"])
                mean = state["mean"].lerp_(weight.grad, 1 - beta_1)
                norm = state["norm"].mul_(beta_2)
                torch.maximum(norm, weight.grad.abs(), out=norm)
                rate = lr / (1 - beta_1 ** state["step"])
                weight.sub_(rate * mean / (norm + group["eps"]))
