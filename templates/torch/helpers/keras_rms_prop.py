"""RMSprop exactly as Keras computes it."""

from collections.abc import Iterable
from typing import Any

import torch


class KerasRMSProp(torch.optim.Optimizer):
    """RMSprop with epsilon under the square root and the learning rate in the momentum."""

    def __init__(
        self,
        params: Iterable[torch.Tensor],
        lr: float = 0.001,
        alpha: float = 0.9,
        eps: float = 1e-7,
        momentum: float = 0.0,
        centered: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "alpha": alpha, "eps": eps, "momentum": momentum}
        super().__init__(
            params, {**defaults, "centered": centered, "weight_decay": weight_decay}
        )

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update all weights that have a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update(weight, weight.grad, group)

    def _update(
        self, weight: torch.Tensor, grad: torch.Tensor, group: dict[str, float]
    ) -> None:
        state = self.state[weight]
        if not state:
            for name in ("square", "mean", "momentum"):
                state[name] = torch.zeros_like(weight)
        rate = 1 - group["alpha"]
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        variance = state["square"].lerp_(grad.square(), rate)
        if group["centered"]:
            variance = variance - state["mean"].lerp_(grad, rate).square()
        step = group["lr"] * grad / (variance + group["eps"]).sqrt()
        weight.sub_(state["momentum"].mul_(group["momentum"]).add_(step))
