"""Random rotation of images."""

import math
from typing import Any

import torch

from .transform_images import transform_images
from .uniform import uniform


def random_rotation(
    x: torch.Tensor, turns: tuple[float, float], training: bool, **filling: Any
) -> torch.Tensor:
    """In training turns each image (N, C, H, W) by a random part of a full turn."""
    if not training:
        return x
    angle = 2 * math.pi * uniform(x, turns)
    cos, sin = torch.cos(angle), torch.sin(angle)
    cx, cy = (x.shape[-1] - 1) / 2, (x.shape[-2] - 1) / 2
    columns = torch.stack([cos, -sin, cx - cx * cos + cy * sin], dim=1)
    rows = torch.stack([sin, cos, cy - cx * sin - cy * cos], dim=1)
    return transform_images(x, torch.stack([columns, rows], dim=1), **filling)
