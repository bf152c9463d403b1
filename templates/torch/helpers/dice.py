"""A loss: Dice."""

import torch


def dice(
    prediction: torch.Tensor,
    target: torch.Tensor,
    dim: int | tuple[int, ...] | None = None,
) -> torch.Tensor:
    """1 minus twice the overlap by the two sums, over ``dim`` or over everything."""
    overlap = (target * prediction).sum(dim)
    return 1 - 2 * overlap / (target.sum(dim) + prediction.sum(dim) + 1e-7)
