"""A loss: generalized cross-entropy."""

import torch


def generalized_crossentropy(
    prediction: torch.Tensor, target: torch.Tensor, q: float = 0.5, dim: int = -1
) -> torch.Tensor:
    """(1 - p^q) / q for the probability p of the right class."""
    right = prediction.gather(dim, target.unsqueeze(dim)).squeeze(dim)
    return (1 - right**q) / q
