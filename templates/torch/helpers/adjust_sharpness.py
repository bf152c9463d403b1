"""Blurred or sharpened images."""

import torch
import torch.nn.functional as F


def adjust_sharpness(
    x: torch.Tensor, sharpness: torch.Tensor, values: tuple[float, float]
) -> torch.Tensor:
    """Mix each image (N, C, H, W) with a smooth version of it.

    ``sharpness`` (N) of 0 is the smooth version, 0.5 the image itself, 1 sharpened.
    """
    kernel = torch.full((3, 3), 1 / 13, dtype=x.dtype, device=x.device)
    kernel[1, 1] = 5 / 13
    channels = x.shape[1]
    kernel = kernel.expand(channels, 1, 3, 3)
    smooth = F.conv2d(x, kernel, padding=1, groups=channels)
    x = x + (1 - 2 * sharpness.view(-1, 1, 1, 1)) * (smooth - x)
    return x.clamp(*values)
