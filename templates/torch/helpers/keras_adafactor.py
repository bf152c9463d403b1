"""Adafactor exactly as Keras computes it."""

from collections.abc import Iterable
from typing import Any

import torch


class KerasAdafactor(torch.optim.Optimizer):
    """Adafactor that averages squared gradients over the first two axes of each weight.

    Those are the axes of inputs and outputs in `nn.Linear` and convolutions; torch's own
    Adafactor takes the last two.
    """

    def __init__(
        self,
        params: Iterable[torch.Tensor],
        lr: float = 0.001,
        beta2_decay: float = -0.8,
        eps: tuple[float, float] = (1e-30, 0.001),
        d: float = 1.0,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d}
        super().__init__(params, {**defaults, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update all weights that have a gradient."""
        for group in self.param_groups:
            lr, (eps_1, eps_2) = group["lr"], group["eps"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                state["step"] = state.get("step", 0) + 1
                weight.mul_(1 - lr * group["weight_decay"])
                rate = 1 - state["step"] ** group["beta2_decay"]
                square = weight.grad.square() + eps_1
                if weight.ndim < 2:
                    variance = self._average(state, "square", square, rate)
                else:
                    rows = self._average(state, "rows", square.mean(0, True), rate)
                    columns = self._average(
                        state, "columns", square.mean(1, True), rate
                    )
                    variance = rows / rows.mean(1, keepdim=True) * columns
                update = weight.grad / variance.sqrt()
                size = update.square().mean().sqrt() / group["d"]
                scale = weight.square().mean().sqrt().clamp(min=eps_2)
                limit = min(lr, state["step"] ** -0.5)
                weight.sub_(scale * limit * update / size.clamp(min=1))

    @staticmethod
    def _average(
        state: dict[str, torch.Tensor], name: str, value: torch.Tensor, rate: float
    ) -> torch.Tensor:
        old = state.get(name, torch.zeros_like(value))
        state[name] = old.lerp(value, 1 - rate)
        return state[name]
