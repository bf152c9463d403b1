"""Colors of a given hue, saturation and value."""

import torch


def hsv_to_rgb(x: torch.Tensor) -> torch.Tensor:
    """Images (N, 3, H, W) of red, green and blue."""
    hue, saturation, value = x.unbind(1)
    turn = hue * 6
    red = ((turn - 3).abs() - 1).clamp(0, 1)
    green = (2 - (turn - 2).abs()).clamp(0, 1)
    blue = (2 - (turn - 4).abs()).clamp(0, 1)
    colors = torch.stack([red, green, blue], dim=1)
    saturation = saturation.unsqueeze(1)
    return (1 - saturation + saturation * colors) * value.unsqueeze(1)
