"""RandAugment: some random changes of images."""

import torch

from .augmentations import augmentations


def rand_augment(
    x: torch.Tensor,
    count: int,
    limits: tuple[float, float],
    values: tuple[float, float],
    training: bool,
    interpolation: str = "bilinear",
) -> torch.Tensor:
    """In training applies ``count`` of eleven changes, the same to all images (N, C, H, W).

    A change that is drawn twice has the same numbers both times.
    """
    if not training:
        return x
    chosen = torch.randint(0, 11, (count,)).tolist()
    drawn = augmentations(x, limits, values, interpolation)
    changes = [draw() for draw in drawn]
    for index in chosen:
        x = changes[index](x)
    return x
