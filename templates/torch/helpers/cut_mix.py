"""Images with boxes from other images."""

import torch

from .random_boxes import random_boxes


def cut_mix(
    x: torch.Tensor, limits: tuple[float, float], training: bool
) -> torch.Tensor:
    """In training fills a box in each image (N, C, H, W) from another image of the batch.

    The share of the box is a Beta(a, a) number, with one a between ``limits`` for the batch.
    """
    if not training:
        return x
    low, high = limits
    alpha = low + (high - low) * torch.rand((), device=x.device) + 1e-6
    kept = torch.distributions.Beta(alpha, alpha).sample((len(x),))
    side = (1 - kept).sqrt()
    boxes = random_boxes(x, side, side)
    order = torch.randperm(len(x), device=x.device)
    return torch.where(boxes, x[order], x)
