"""Random saturation of images."""

import torch

from .adjust_saturation import adjust_saturation
from .uniform import uniform


def random_saturation(
    x: torch.Tensor,
    strengths: tuple[float, float],
    values: tuple[float, float],
    training: bool,
) -> torch.Tensor:
    """In training multiplies the saturation of each image by a random factor."""
    if not training:
        return x
    return adjust_saturation(x, uniform(x, strengths), values)
