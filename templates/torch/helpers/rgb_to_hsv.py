"""Hue, saturation and value of colors."""

import torch


def rgb_to_hsv(x: torch.Tensor) -> torch.Tensor:
    """Images (N, 3, H, W) of red, green and blue; all results are from 0 to 1 for 0 to 1."""
    red, green, blue = x.unbind(1)
    value = x.amax(dim=1)
    spread = value - x.amin(dim=1)
    saturation = torch.where(value > 0, spread / value, 0)
    sixth = 1 / spread * (1 / 6)
    hue = torch.where(
        red == value,
        sixth * (green - blue),
        torch.where(
            green == value,
            sixth * (blue - red) + 2 / 6,
            sixth * (red - green) + 4 / 6,
        ),
    )
    hue = torch.where(spread > 0, hue, 0)
    hue = torch.where(hue < 0, hue + 1, hue)
    return torch.stack([hue, saturation, value], dim=1)
