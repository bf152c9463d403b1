"""Images whose bright pixels are inverted."""

import torch

from .rescale_values import rescale_values


def solarize(
    x: torch.Tensor,
    additions: torch.Tensor,
    thresholds: torch.Tensor,
    values: tuple[float, float],
) -> torch.Tensor:
    """Add a number to each image (N, C, H, W), and invert what reaches a threshold.

    ``additions`` and ``thresholds`` (N) are parts of 0 to 255, whatever the range ``values`` is.
    """
    y = rescale_values(x, values, (0, 255))
    y = (y + additions.view(-1, 1, 1, 1)).clamp(0, 255)
    y = torch.where(y < thresholds.view(-1, 1, 1, 1), y, 255 - y)
    return rescale_values(y, (0, 255), values)
