"""Images with fewer bits for each channel."""

import torch

from .rescale_values import rescale_values


def posterize(
    x: torch.Tensor, bits: torch.Tensor, values: tuple[float, float]
) -> torch.Tensor:
    """Keep the highest ``bits`` (N) of the 8 bits of each channel of images (N, C, H, W)."""
    shift = (8 - bits).view(-1, 1, 1, 1)
    whole = rescale_values(x, values, (0, 255)).clamp(0, 255).to(torch.int32)
    kept = ((whole >> shift) << shift).to(x.dtype)
    return rescale_values(kept, (0, 255), values)
