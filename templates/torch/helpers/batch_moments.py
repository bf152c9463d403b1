"""Statistics of a batch."""

import torch


def batch_moments(
    x: torch.Tensor, mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and biased variance of every channel (axis 1), masked positions left out."""
    axes = [axis for axis in range(x.ndim) if axis != 1]
    if mask is None:
        var, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
        return mean, var
    count = mask.expand_as(x).sum(axes, keepdim=True) + 1e-7
    mean = torch.where(mask, x, 0.0).sum(axes, keepdim=True) / count
    squares = torch.where(mask, x - mean, 0.0).square()
    return mean, squares.sum(axes, keepdim=True) / count
