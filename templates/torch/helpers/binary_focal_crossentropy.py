"""A loss: binary focal cross-entropy."""

import torch
import torch.nn.functional as F


def binary_focal_crossentropy(
    prediction: torch.Tensor,
    target: torch.Tensor,
    alpha: float | None = None,
    gamma: float = 2.0,
    from_logits: bool = False,
    dim: int = -1,
) -> torch.Tensor:
    """Cross-entropy that counts well-predicted samples less; ``alpha`` weighs class 1."""
    if from_logits:
        loss = F.binary_cross_entropy_with_logits(prediction, target, reduction="none")
        prediction = prediction.sigmoid()
    else:
        clipped = prediction.clamp(1e-7, 1 - 1e-7)
        loss = F.binary_cross_entropy(clipped, target, reduction="none")
    right = target * prediction + (1 - target) * (1 - prediction)
    loss = (1 - right) ** gamma * loss
    if alpha is not None:
        loss = (target * alpha + (1 - target) * (1 - alpha)) * loss
    return loss.mean(dim)
