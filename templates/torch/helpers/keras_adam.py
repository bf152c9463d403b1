"""Adam exactly as Keras computes it."""

import math
from collections.abc import Iterable
from typing import Any

import torch


class KerasAdam(torch.optim.Optimizer):
    """Adam with epsilon added before the bias correction and decoupled weight decay."""

    def __init__(
        self,
        params: Iterable[torch.Tensor],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "amsgrad": amsgrad}
        super().__init__(params, {**defaults, "weight_decay": weight_decay})

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
                    for name in ("mean", "square", "largest"):
                        state[name] = torch.zeros_like(weight)
                state["step"] += 1
                weight.mul_(1 - lr * group["weight_decay"])
                mean = state["mean"].lerp_(weight.grad, 1 - beta_1)
                square = state["square"].lerp_(weight.grad.square(), 1 - beta_2)
                if group["amsgrad"]:
                    square = state["largest"].copy_(
                        torch.maximum(state["largest"], square)
                    )
                correction = math.sqrt(1 - beta_2 ** state["step"])
                rate = lr * correction / (1 - beta_1 ** state["step"])
                weight.sub_(rate * mean / (square.sqrt() + group["eps"]))
