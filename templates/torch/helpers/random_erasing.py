"""Random erasing of parts of images."""

import torch

from .random_boxes import random_boxes
from .random_choice import random_choice


def random_erasing(
    x: torch.Tensor,
    probabilities: tuple[float, float],
    areas: tuple[float, float],
    fill: float | tuple[float, ...] | None,
    values: tuple[float, float],
    training: bool,
) -> torch.Tensor:
    """In training fills a box in some images (N, C, H, W), with noise where ``fill`` is None.

    Width and height are square roots of numbers between ``areas``, as parts of the image's.
    """
    if not training:
        return x
    low, high = areas
    sizes = (low + (high - low) * torch.rand(len(x), 2, device=x.device)).sqrt()
    boxes = random_boxes(x, sizes[:, 0], sizes[:, 1])
    chosen = random_choice(x, probabilities)
    if fill is None:
        filled = torch.randn(x.shape, device=x.device).to(x.dtype) * values[1]
    else:
        filled = torch.tensor(fill, dtype=x.dtype, device=x.device).view(1, -1, 1, 1)
    return torch.where(boxes & chosen, filled.clamp(*values), x)
