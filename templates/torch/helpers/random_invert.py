"""Random inversion of images."""

import torch

from .random_choice import random_choice


def random_invert(
    x: torch.Tensor, probabilities: tuple[float, float], highest: float, training: bool
) -> torch.Tensor:
    """In training subtracts some of the images from the highest value of a pixel."""
    if not training:
        return x
    return torch.where(random_choice(x, probabilities), highest - x, x)
