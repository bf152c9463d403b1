"""Random zoom into and out of images."""

from typing import Any

import torch

from .transform_images import transform_images
from .uniform import uniform


def random_zoom(
    x: torch.Tensor,
    heights: tuple[float, float],
    widths: tuple[float, float] | None,
    training: bool,
    **filling: Any,
) -> torch.Tensor:
    """In training scales each image (N, C, H, W) about its center.

    Height and width take the same random part more or less where ``widths`` is None.
    """
    if not training:
        return x
    high = 1 + uniform(x, heights)
    wide = high if widths is None else 1 + uniform(x, widths)
    none = torch.zeros_like(high)
    columns = torch.stack([wide, none, (x.shape[-1] - 1) / 2 * (1 - wide)], dim=1)
    rows = torch.stack([none, high, (x.shape[-2] - 1) / 2 * (1 - high)], dim=1)
    return transform_images(x, torch.stack([columns, rows], dim=1), **filling)
