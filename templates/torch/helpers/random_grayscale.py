"""Random gray images."""

import torch

from .grayscale import grayscale
from .uniform import uniform


def random_grayscale(
    x: torch.Tensor, probability: float, training: bool
) -> torch.Tensor:
    """In training makes each image (N, C, H, W) gray with a probability; the channels stay."""
    if not training:
        return x
    chosen = uniform(x, (0, 1)) < probability
    return torch.where(chosen.view(-1, 1, 1, 1), grayscale(x), x)
