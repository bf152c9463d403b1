"""Images with stronger or weaker colors."""

import torch

from .hsv_to_rgb import hsv_to_rgb
from .rgb_to_hsv import rgb_to_hsv


def adjust_saturation(
    x: torch.Tensor, strength: torch.Tensor, values: tuple[float, float]
) -> torch.Tensor:
    """Multiply the saturation of each image (N, 3, H, W) by f / (1 - f), f in ``strength`` (N).

    Keras limits the result to the range of the pixels, ``values``.
    """
    factor = (strength / (1 - strength + 1e-7)).view(-1, 1, 1)
    hue, saturation, value = rgb_to_hsv(x).unbind(1)
    saturation = (saturation * factor).clamp(*values)
    return hsv_to_rgb(torch.stack([hue, saturation, value], dim=1))
