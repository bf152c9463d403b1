"""Random numbers, one for each sample."""

import torch


def uniform(x: torch.Tensor, limits: tuple[float, float]) -> torch.Tensor:
    """A number between the limits for each sample of ``x``."""
    low, high = limits
    return low + (high - low) * torch.rand(x.shape[0], device=x.device)
