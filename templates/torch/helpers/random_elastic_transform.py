"""Random elastic distortion of images."""

from typing import Any

import torch

from .blur_images import blur_images
from .random_choice import random_choice
from .sample_images import sample_images


def random_elastic_transform(
    x: torch.Tensor,
    probabilities: tuple[float, float],
    scales: tuple[float, float],
    values: tuple[float, float],
    training: bool,
    fill_mode: str = "reflect",
    **filling: Any,
) -> torch.Tensor:
    """In training displaces the pixels of some images (N, C, H, W) by smooth noise.

    Rows and columns are displaced by the same noise, since Keras draws both from one seed.
    """
    if not training:
        return x
    chosen = random_choice(x, probabilities)
    low, high = scales
    scale = low + (high - low) * torch.rand((), device=x.device)
    height, width = x.shape[-2:]
    reach = max(height, width) * (0.1 * scale)
    sigma = min(height, width) * (0.05 * scale)
    size = 6 * int(sigma) | 1
    noise = torch.randn(len(x), 1, height, width, device=x.device) * sigma
    shift = reach * blur_images(noise, (size, size), sigma.expand(2)).squeeze(1)
    rows = torch.arange(height, device=x.device)[:, None] + shift
    columns = torch.arange(width, device=x.device) + shift
    y = sample_images(x, rows, columns, fill_mode, **filling)
    return torch.where(chosen, y, x).clamp(*values)
