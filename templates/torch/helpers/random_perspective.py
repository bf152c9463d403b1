"""Random perspective of images."""

from typing import Any

import torch

from .perspective_images import perspective_images
from .random_choice import random_choice


def random_perspective(
    x: torch.Tensor,
    probabilities: tuple[float, float],
    scale: float,
    training: bool,
    **filling: Any,
) -> torch.Tensor:
    """In training moves the corners of some images, by up to half of ``scale`` of their size."""
    if not training:
        return x
    chosen = random_choice(x, probabilities)
    shifts = (torch.rand(len(x), 4, 2, device=x.device) - 0.5) * scale
    return torch.where(chosen, perspective_images(x, shifts, **filling), x)
