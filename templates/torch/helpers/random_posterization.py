"""Random posterization of images."""

import torch

from .posterize import posterize


def random_posterization(
    x: torch.Tensor, bits: tuple[int, int], values: tuple[float, float], training: bool
) -> torch.Tensor:
    """In training keeps the highest bits of each image, as many as drawn at random.

    As in Keras all numbers of bits are drawn but the highest, unless it is the only one.
    """
    if not training:
        return x
    low, high = bits
    if low == high:
        drawn = torch.full((len(x),), low, device=x.device)
    else:
        drawn = torch.randint(low, high, (len(x),), device=x.device)
    return posterize(x, drawn, values)
