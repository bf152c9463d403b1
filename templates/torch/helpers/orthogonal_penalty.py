"""A penalty on weights that are not orthogonal."""

import torch
import torch.nn.functional as F


def orthogonal_penalty(
    weight: torch.Tensor, factor: float, mode: str = "rows"
) -> torch.Tensor:
    """``factor`` times the mean absolute cosine between different rows (or columns)."""
    vectors = F.normalize(weight if mode == "rows" else weight.T, dim=1, eps=1e-7)
    cosines = (vectors @ vectors.T).abs()
    size = len(vectors)
    return factor * (cosines.sum() - cosines.trace()) / (size * (size - 1))
