"""Random blur of images."""

import torch

from .blur_images import blur_images
from .random_choice import random_choice


def random_gaussian_blur(
    x: torch.Tensor,
    probabilities: tuple[float, float],
    sizes: tuple[int, int],
    sigmas: tuple[float, float],
    values: tuple[float, float],
    training: bool,
) -> torch.Tensor:
    """In training blurs some images; all by the same kernel, of random width along each axis."""
    if not training:
        return x
    chosen = random_choice(x, probabilities)
    low, high = sigmas
    sigma = low + (high - low) * torch.rand(2, device=x.device) + 1e-6
    return torch.where(chosen, blur_images(x, sizes, sigma), x).clamp(*values)
