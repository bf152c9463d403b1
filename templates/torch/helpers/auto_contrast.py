"""Images with all of the contrast that they can have."""

import torch

from .rescale_values import rescale_values


def auto_contrast(x: torch.Tensor, values: tuple[float, float]) -> torch.Tensor:
    """Stretch each channel of each image (N, C, H, W) to the range ``values``.

    A channel of one color stays as it is.
    """
    y = rescale_values(x, values, (0, 255))
    low, high = y.amin(dim=(2, 3), keepdim=True), y.amax(dim=(2, 3), keepdim=True)
    scale = 255 / (high - low)
    y = rescale_values((y * scale - low * scale).clamp(0, 255), (0, 255), values)
    return torch.where(y.isnan(), x, y)
