"""Random hue of images."""

import torch

from .adjust_hue import adjust_hue
from .uniform import uniform


def random_hue(
    x: torch.Tensor,
    factors: tuple[float, float],
    values: tuple[float, float],
    training: bool,
) -> torch.Tensor:
    """In training turns the hue of each image by up to half a turn, either way."""
    if not training:
        return x
    sign = torch.where(uniform(x, (0, 1)) > 0.5, -1, 1)
    return adjust_hue(x, sign * uniform(x, factors) * 0.5, values)
