"""Random shear of images."""

from typing import Any

import torch

from .transform_images import transform_images
from .uniform import uniform


def random_shear(
    x: torch.Tensor,
    right: tuple[float, float],
    down: tuple[float, float],
    training: bool,
    **filling: Any,
) -> torch.Tensor:
    """In training shears each image (N, C, H, W) by random parts of its size, either way."""
    if not training:
        return x
    sign = torch.where(uniform(x, (0, 1)) > 0.5, -1, 1)
    lower = sign * uniform(x, down)
    farther = sign * uniform(x, right)
    none, one = torch.zeros_like(lower), torch.ones_like(lower)
    columns = torch.stack([one, farther, none], dim=1)
    rows = torch.stack([lower, one, none], dim=1)
    return transform_images(x, torch.stack([columns, rows], dim=1), **filling)
