"""Dropout with shared decisions."""

import torch
import torch.nn.functional as F


def shared_dropout(
    x: torch.Tensor, rate: float, noise_shape: tuple[int, ...], training: bool
) -> torch.Tensor:
    """Dropout that decides once for all elements along axes where the noise has size 1."""
    if not training:
        return x
    return x * F.dropout(x.new_ones(noise_shape), rate)
