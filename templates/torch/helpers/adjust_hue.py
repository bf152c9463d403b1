"""Images with other hues."""

import torch

from .hsv_to_rgb import hsv_to_rgb
from .rescale_values import rescale_values
from .rgb_to_hsv import rgb_to_hsv


def adjust_hue(
    x: torch.Tensor, turns: torch.Tensor, values: tuple[float, float]
) -> torch.Tensor:
    """Turn the hue of each image (N, 3, H, W) by a part of a full turn, in ``turns`` (N)."""
    x = rescale_values(x, values, (0, 1))
    hue, saturation, value = rgb_to_hsv(x).unbind(1)
    hue = hue + turns.view(-1, 1, 1)
    hue = torch.where(hue > 1, hue - 1, hue)
    hue = torch.where(hue < 0, hue + 1, hue)
    x = hsv_to_rgb(torch.stack([hue, saturation, value], dim=1)).clamp(0, 1)
    return rescale_values(x, (0, 1), values)
