"""A loss: Kullback-Leibler divergence."""

import torch


def kl_divergence(
    prediction: torch.Tensor, target: torch.Tensor, dim: int = -1
) -> torch.Tensor:
    """The divergence of predicted from true probabilities, summed over ``dim``."""
    prediction, target = prediction.clamp(1e-7, 1), target.clamp(1e-7, 1)
    return (target * (target / prediction).log()).sum(dim)
