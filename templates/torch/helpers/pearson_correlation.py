"""A metric: Pearson's correlation."""

import torch


def pearson_correlation(
    prediction: torch.Tensor, target: torch.Tensor, dim: int = -1
) -> torch.Tensor:
    """The correlation along ``dim``."""
    a = target - target.mean(dim, keepdim=True)
    b = prediction - prediction.mean(dim, keepdim=True)
    a = a / a.std(dim, correction=0, keepdim=True)
    b = b / b.std(dim, correction=0, keepdim=True)
    return (a * b).mean(dim)
