"""Random solarization of images."""

import torch

from .solarize import solarize
from .uniform import uniform


def random_solarization(
    x: torch.Tensor,
    additions: tuple[float, float],
    thresholds: tuple[float, float],
    values: tuple[float, float],
    training: bool,
) -> torch.Tensor:
    """In training adds a random number to each image and inverts what reaches another one.

    The limits of both numbers are values of pixels from 0 to 255.
    """
    if not training:
        return x
    return solarize(x, uniform(x, additions), uniform(x, thresholds), values)
