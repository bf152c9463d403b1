"""A loss: cross-entropy of probabilities."""

import torch


def probability_crossentropy(
    prediction: torch.Tensor, target: torch.Tensor, dim: int = -1
) -> torch.Tensor:
    """Cross-entropy of one-hot targets with probabilities, made to sum to 1 and clipped."""
    prediction = prediction / prediction.sum(dim, keepdim=True)
    return -(target * prediction.clamp(1e-7, 1 - 1e-7).log()).sum(dim)
