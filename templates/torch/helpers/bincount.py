"""Counts of integers."""

import torch


def bincount(
    x: torch.Tensor, minlength: int = 0, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """The number of times that 0, 1, 2, ... occur along the last axis, or sums of weights."""
    size = max(int(x.max()) + 1, minlength)
    if weights is None:
        weights = torch.ones_like(x, dtype=torch.int32)
    return weights.new_zeros(*x.shape[:-1], size).scatter_add(-1, x.long(), weights)
