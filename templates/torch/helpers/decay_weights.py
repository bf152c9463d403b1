"""Decoupled weight decay."""

import torch


@torch.no_grad()
def decay_weights(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Take ``learning rate * rate`` of every trained weight, as Keras does before a step."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                parameter.mul_(1 - group["lr"] * rate)
