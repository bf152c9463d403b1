"""A metric: concordance correlation."""

import torch


def concordance_correlation(
    prediction: torch.Tensor, target: torch.Tensor, dim: int = -1
) -> torch.Tensor:
    """The concordance along ``dim``; as in Keras, targets are taken from p's mean."""
    variance, mean = torch.var_mean(target, dim, correction=0, keepdim=True)
    other, center = torch.var_mean(prediction, dim, correction=0, keepdim=True)
    common = (target - center) * (prediction - center)
    norm = variance + other + (mean - center).square()
    return (2 * common / (norm + 1e-7)).mean(dim)
