"""Random brightness of images."""

import torch

from .uniform import uniform


def random_brightness(
    x: torch.Tensor,
    parts: tuple[float, float],
    values: tuple[float, float],
    training: bool,
) -> torch.Tensor:
    """In training adds a random part of the range of ``values`` to each image."""
    if not training:
        return x
    low, high = values
    delta = uniform(x, parts).view(-1, 1, 1, 1) * (high - low)
    return (x + delta).clamp(low, high)
