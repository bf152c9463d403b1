"""Random translation of images."""

from typing import Any

import torch

from .transform_images import transform_images
from .uniform import uniform


def random_translation(
    x: torch.Tensor,
    heights: tuple[float, float],
    widths: tuple[float, float],
    training: bool,
    **filling: Any,
) -> torch.Tensor:
    """In training moves each image (N, C, H, W) by random parts of its height and width."""
    if not training:
        return x
    down = x.shape[-2] * uniform(x, heights)
    right = x.shape[-1] * uniform(x, widths)
    none, one = torch.zeros_like(down), torch.ones_like(down)
    columns = torch.stack([one, none, -right], dim=1)
    rows = torch.stack([none, one, -down], dim=1)
    return transform_images(x, torch.stack([columns, rows], dim=1), **filling)
