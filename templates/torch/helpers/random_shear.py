"""Random shear of images."""

from typing import Any

import torch

from .shear_maps import shear_maps
from .transform_images import transform_images


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
    return transform_images(x, shear_maps(x, right, down), **filling)
