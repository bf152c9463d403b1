"""Alpha dropout with shared decisions."""

import torch


def shared_alpha_dropout(
    x: torch.Tensor, rate: float, noise_shape: tuple[int, ...], training: bool
) -> torch.Tensor:
    """Alpha dropout that decides once along axes where the noise has size 1.

    Dropped elements get SELU's lowest value; then mean and variance are restored.
    """
    if not training:
        return x
    lowest = -1.7580993408473766
    keep = torch.rand(noise_shape, device=x.device) >= rate
    scale: float = ((1 - rate) * (1 + rate * lowest**2)) ** -0.5
    return scale * (torch.where(keep, x, lowest) - lowest * rate)
