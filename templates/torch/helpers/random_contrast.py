"""Random contrast of images."""

import torch

from .uniform import uniform


def random_contrast(
    x: torch.Tensor,
    factors: tuple[float, float],
    values: tuple[float, float],
    training: bool,
) -> torch.Tensor:
    """In training scales the channels of each image (N, C, H, W) about their means."""
    if not training:
        return x
    factor = uniform(x, factors).view(-1, 1, 1, 1)
    mean = x.mean(dim=(-2, -1), keepdim=True)
    return ((x - mean) * factor + mean).clamp(*values)
