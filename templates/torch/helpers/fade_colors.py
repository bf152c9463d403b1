"""Images with weaker colors."""

import torch

from .grayscale import grayscale


def fade_colors(
    x: torch.Tensor, parts: torch.Tensor, values: tuple[float, float]
) -> torch.Tensor:
    """Mix each image (N, 3, H, W) with its gray version, which has the share ``parts`` (N)."""
    x = x + parts.view(-1, 1, 1, 1) * (grayscale(x) - x)
    return x.clamp(*values)
