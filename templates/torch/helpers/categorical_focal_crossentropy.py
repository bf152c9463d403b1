"""A loss: categorical focal cross-entropy."""

from collections.abc import Sequence

import torch


def categorical_focal_crossentropy(
    prediction: torch.Tensor,
    target: torch.Tensor,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    dim: int = -1,
) -> torch.Tensor:
    """Cross-entropy of probabilities that counts well-predicted samples less."""
    prediction = prediction / prediction.sum(dim, keepdim=True)
    prediction = prediction.clamp(1e-7, 1 - 1e-7)
    loss = -target * prediction.log() * (1 - prediction) ** gamma
    weight = torch.as_tensor(alpha, dtype=loss.dtype, device=loss.device)
    return (loss.movedim(dim, -1) * weight).sum(-1)
