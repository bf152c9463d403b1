"""Random sharpness of images."""

import torch

from .adjust_sharpness import adjust_sharpness
from .uniform import uniform


def random_sharpness(
    x: torch.Tensor,
    factors: tuple[float, float],
    values: tuple[float, float],
    training: bool,
) -> torch.Tensor:
    """In training blurs (below 0.5) or sharpens each image by a random factor."""
    if not training:
        return x
    return adjust_sharpness(x, uniform(x, factors), values)
