"""Random weakening of the colors of images."""

import torch

from .fade_colors import fade_colors
from .uniform import uniform


def random_color_degeneration(
    x: torch.Tensor,
    factors: tuple[float, float],
    values: tuple[float, float],
    training: bool,
) -> torch.Tensor:
    """In training mixes each image with its gray version by a random factor."""
    if not training:
        return x
    return fade_colors(x, uniform(x, factors), values)
